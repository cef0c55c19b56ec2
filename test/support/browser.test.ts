import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { launchBrowser, openPage, screens } from './browser.ts'

const html = `<!doctype html><meta name="viewport" content="width=device-width, initial-scale=1">
  <p id="text">Allow access</p><noscript>no script</noscript>
  <script>document.getElementById('text').textContent = 'changed by script'</script>`

describe('Chromium', () => {
  let browser: Browser
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(html))
  let address = ''

  before(async () => {
    browser = await launchBrowser()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const bound = server.address()
    if (bound && typeof bound === 'object') address = `http://127.0.0.1:${bound.port}/`
  })
  after(async () => {
    await browser.close()
    server.close()
    server.closeAllConnections()
  })

  test('shows a page at both widths, light and dark', async () => {
    for (const screen of ['desktop', 'phone'] as const) {
      for (const scheme of ['light', 'dark'] as const) {
        const page = await openPage(browser, { screen, scheme })
        await page.goto(address)
        assert.equal(await page.locator('#text').textContent(), 'changed by script')
        assert.deepEqual(
          await page.evaluate(() => [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]),
          [screens[screen].width, scheme === 'dark'],
        )
        await page.context().close()
      }
    }
  })

  test('JavaScript can be off', async () => {
    const page = await openPage(browser, { javaScript: false })
    await page.goto(address)
    assert.equal(await page.locator('#text').textContent(), 'Allow access')
    assert.equal(await page.locator('noscript').textContent(), 'no script')
    await page.context().close()
  })

  test('text has a font, whatever fonts the machine has', async () => {
    const page = await openPage(browser)
    await page.goto(address)
    const widths = await page.evaluate(() => {
      const context = document.createElement('canvas').getContext('2d')!
      context.font = '32px system-ui, sans-serif'
      return ['iiii', 'WWWW'].map((text) => context.measureText(text).width)
    })
    assert.ok(widths[0]! > 0 && widths[1]! > 2 * widths[0]!, `measured ${widths}`)
    await page.context().close()
  })
})
