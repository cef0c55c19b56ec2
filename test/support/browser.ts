// A real Chromium for tests: the one `CHROME_PATH` names, or the one `@sparticuz/chromium` brings, which carries its
// own libraries and fonts, so that nothing has to be installed on the machine. Runs as root too.

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

/** Widths of the two screens every page must suit, in CSS pixels. */
export const screens = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
} as const

export type PageOptions = {
  /** Default `desktop`. */
  screen?: keyof typeof screens
  /** What `prefers-color-scheme` says. Default `light`. */
  scheme?: 'light' | 'dark'
  /** Default true. Every form has to work with false. */
  javaScript?: boolean
}

/** Starts Chromium, headless, with further switches. The caller closes it. */
export async function launchBrowser(...more: string[]): Promise<Browser> {
  const { executable, env } = await chromiumExecutable()
  return chromium.launch({
    executablePath: executable,
    env: { ...process.env, ...env } as Record<string, string>,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...more,
    ],
  })
}

/** A page in a context of its own: no cookie or storage of any other. Close it with `page.context().close()`. */
export async function openPage(browser: Browser, options: PageOptions = {}): Promise<Page> {
  const { screen = 'desktop', scheme = 'light', javaScript = true } = options
  const context: BrowserContext = await browser.newContext({
    viewport: screens[screen],
    colorScheme: scheme,
    javaScriptEnabled: javaScript,
    isMobile: screen === 'phone',
    hasTouch: screen === 'phone',
    deviceScaleFactor: 1,
    locale: 'en-GB',
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
  })
  context.setDefaultTimeout(20_000)
  return context.newPage()
}

/**
 * Where Chromium is and what its environment must say. The first call after an install unpacks it, about 300 MB in
 * two seconds, into `node_modules/.cache`; calls that run at once are safe beside each other.
 */
export async function chromiumExecutable(): Promise<{ executable: string; env: Record<string, string> }> {
  const given = process.env['CHROME_PATH']
  if (given) {
    if (!existsSync(given)) throw new Error(`CHROME_PATH is ${given}, which does not exist`)
    return { executable: given, env: {} }
  }

  const packaged = join(dirname(fileURLToPath(import.meta.resolve('@sparticuz/chromium'))), '..')
  const { version } = JSON.parse(await readFile(join(packaged, 'package.json'), 'utf8')) as {
    version: string
  }
  const cache = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url))
  const folder = join(cache, `chromium-${version}`)
  if (!existsSync(folder)) {
    mkdirSync(cache, { recursive: true })
    const draft = await mkdtemp(`${folder}-`)
    try {
      await unpack(packaged, draft)
      await writeFontConfiguration(draft, folder)
      await rename(draft, folder)
    } catch (error) {
      await rm(draft, { recursive: true, force: true })
      // Another process may have been first; its copy is as good.
      if (!existsSync(folder)) throw error
    }
  }
  const libraries = [process.env['LD_LIBRARY_PATH'], join(folder, 'al2023', 'lib')].filter(Boolean).join(':')
  return {
    executable: join(folder, 'chromium'),
    env: {
      LD_LIBRARY_PATH: libraries,
      FONTCONFIG_FILE: join(folder, 'fonts.conf'),
      ...(process.env['HOME'] ? {} : { HOME: folder }),
    },
  }
}

/** The package unpacks into the folder for temporary files, so that is what it is told; in a process of its own. */
async function unpack(packaged: string, folder: string): Promise<void> {
  const script = `
    import { inflate } from '@sparticuz/chromium'
    for (const file of process.argv.slice(1)) await inflate(file)`
  const archives = ['chromium.br', 'fonts.tar.br', 'swiftshader.tar.br', 'al2023.tar.br']
  await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', script, ...archives.map((name) => join(packaged, 'bin', name))],
    { cwd: packaged, env: { PATH: process.env['PATH'], TMPDIR: folder } },
  )
}

/** Only the fonts of the package, so that a page looks and measures the same on every machine. */
async function writeFontConfiguration(draft: string, folder: string): Promise<void> {
  const families = ['sans-serif', 'serif', 'monospace', 'system-ui']
  await writeFile(
    join(draft, 'fonts.conf'),
    `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(folder, 'fonts')}</dir>
  <cachedir>${join(folder, 'fonts-cache')}</cachedir>
${families.map((family) => `  <alias><family>${family}</family><prefer><family>Open Sans</family></prefer></alias>`).join('\n')}
</fontconfig>
`,
  )
}
