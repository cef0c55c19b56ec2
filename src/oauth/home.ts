// RFC 8414 §2: the issuer's own URL, for a person who opens it; the page where nothing is, and what stands around every page.

import type { Accounts } from '../accounts/account.ts'
import { paths as accountPaths } from '../accounts/account-pages.ts'
import type { Answer } from '../http/message.ts'
import type { Route } from '../http/route.ts'
import { errorPage } from '../pages/error.ts'
import { homePage } from '../pages/home.ts'
import { answerPage } from '../pages/page.ts'
import type { Branding, Frame } from '../pages/views.ts'
import { paths } from '../protocol/paths.ts'
import type { Settings } from '../settings.ts'
import { refusalPage } from './authorization/authorization-response.ts'
import type { Server } from './server.ts'

/** What stands around every page: its looks, who is signed in, and where they may go. */
export function frameFor(
  settings: Settings,
  branding: Branding,
  accounts: () => Accounts,
): (user?: { name: string; email?: string }) => Frame {
  return (user) => ({
    branding,
    base: settings.base,
    ...(user
      ? {
          account: { name: user.name, email: user.email },
          navigation: navigation(settings, accounts()),
        }
      : {}),
  })
}

/** Connected apps are there for everyone; an account page only where the accounts are ours. */
function navigation(settings: Settings, accounts: Accounts) {
  const hasAccountPage = accounts.routes?.some((route) => route.path === accountPaths.account)
  return {
    ...(hasAccountPage ? { account: settings.base + accountPaths.account } : {}),
    connectedApps: settings.base + paths.connectedApps,
  }
}

/** The issuer URL itself, for a person who opens it. */
export function homeRoute(server: Server, accounts: Accounts): Route {
  return {
    path: '/',
    methods: ['GET', 'HEAD'],
    refused: (_, refusal) => refusalPage(server, refusal),
    run() {
      const { account, connectedApps } = navigation(server.settings, accounts)
      return answerPage(
        homePage(server.frame(), {
          issuer: server.settings.issuer,
          ...(account === undefined ? {} : { accountUrl: account }),
          connectedAppsUrl: connectedApps,
        }),
      )
    },
  }
}

/** What answers where nothing is. */
export function notFound(server: Server): Pick<Route, 'run' | 'refused'> {
  return {
    refused: (_, refusal) => refusalPage(server, refusal),
    run: (): Answer =>
      answerPage(
        errorPage(server.frame(), {
          status: 404,
          title: 'Page not found',
          message: 'Check the address. The page may have moved.',
        }),
      ),
  }
}
