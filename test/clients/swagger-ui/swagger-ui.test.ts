// docs/connect/swagger-ui.md, run as it is printed.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { assertChecked, packageFolder, readConnectPage } from '../browser/page.ts'
import { appPage, openWorld, type Visit, type World } from '../browser/world.ts'

const guide = readConnectPage('swagger-ui')
const files = ['swagger-ui.css', 'swagger-ui-bundle.js', 'oauth2-redirect.html', 'oauth2-redirect.js']

test('docs/connect/swagger-ui.md is short and names the version that is tested', () => {
  assertChecked(guide, 'swagger-ui-dist')
})

for (const place of ['https', 'loopback'] as const) {
  describe(`Swagger UI, ${place}`, () => {
    let world: World
    let visit: Visit
    before(async () => {
      world = await openWorld(place)
      for (const file of files)
        world.files.set(`/${file}`, readFileSync(packageFolder('swagger-ui-dist') + file, 'utf8'))
      world.files.set('/openapi.json', world.adapt(guide.block('json')))
      world.files.set('/', appPage({}, world.adapt(guide.block('html'))))
      await world.shell(guide.block('sh'))
      visit = await world.open()
    })
    after(() => world?.close())
    /** Sends the operation that needs a scope; answers the status and the body that are shown. */
    const execute = async () => {
      await visit.page.getByRole('button', { name: 'Execute' }).click()
      const answer = visit.page.locator('.live-responses-table .response').first()
      await answer.waitFor()
      return [
        await answer.locator('.response-col_status').innerText(),
        await answer.locator('.microlight').first().innerText(),
      ] as const
    }

    test('Authorize signs the reader in, in a window of its own, and requests bear the token', async () => {
      const { page } = visit
      await page.goto(world.app)
      await page.getByRole('button', { name: 'Authorize' }).click()
      await page.locator('.modal-ux label', { hasText: 'jobs:read' }).click()
      const opened = visit.context.waitForEvent('page')
      const redeemed = page.waitForRequest((one) => one.url() === `${world.issuer}/oauth/token`)
      await page.getByRole('button', { name: 'Apply given OAuth2 credentials' }).click()
      const popup = await opened
      await visit.signUp(popup)
      await visit.allow(popup)
      assert.equal((await redeemed).headers()['x-requested-with'], 'XMLHttpRequest', 'it needs a preflight')
      await page.locator('.modal-ux').getByText('Authorized').waitFor()
      await page.locator('.modal-ux').getByRole('button', { name: 'Close' }).last().click()

      await page.getByRole('button', { name: '/api/jobs' }).first().click()
      await page.getByRole('button', { name: 'Try it out' }).click()
      const [status, body] = await execute()
      assert.match(status, /^200\b/)
      assert.deepEqual(JSON.parse(body).jobs, ['Baker'])
      assert.deepEqual(visit.complaints, [])
    })

    test('Logout forgets the token, and requests are refused again', async () => {
      const { page } = visit
      await page.getByRole('button', { name: 'Authorize' }).first().click()
      await page.getByRole('button', { name: 'Remove authorization' }).click()
      await page.locator('.modal-ux').getByRole('button', { name: 'Close' }).last().click()
      await page.getByRole('button', { name: 'Clear' }).click()
      assert.match((await execute())[0], /^401\b/)
    })
  })
}
