/**
 * Pictures of the pages, from the samples of the tests.
 *
 *   node scripts/screenshots.ts            the pictures of the README, into docs/images
 *   node scripts/screenshots.ts <folder>   every page, at desktop and phone width, light and dark
 *
 * CHROME_PATH selects your own browser.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { gallery } from '../test/pages/samples.ts'
import { launchBrowser } from '../test/support/browser.ts'

async function shoot(
  browser: Browser,
  name: string,
  path: string,
  size: { width: number; height: number },
  options: { dark?: boolean; whole?: boolean; scale?: number } = {},
): Promise<void> {
  const page = await browser.newPage({
    viewport: size,
    colorScheme: options.dark ? 'dark' : 'light',
    deviceScaleFactor: options.scale ?? 1,
    javaScriptEnabled: false,
  })
  await page.setContent(gallery[name]!().html)
  await page.screenshot({ path, fullPage: options.whole ?? false })
  await page.close()
}

const folder = process.argv[2]
const browser = await launchBrowser()
try {
  if (folder) {
    await mkdir(folder, { recursive: true })
    for (const name of Object.keys(gallery)) {
      for (const dark of [false, true]) {
        const scheme = dark ? 'dark' : 'light'
        const shot = (suffix: string) => join(folder, `${name}-${suffix}-${scheme}.png`)
        await shoot(browser, name, shot('desktop'), { width: 1280, height: 800 }, { dark, whole: true })
        await shoot(browser, name, shot('phone'), { width: 390, height: 760 }, { dark, whole: true })
      }
    }
  } else {
    const images = join(import.meta.dirname, '../docs/images')
    await mkdir(images, { recursive: true })
    await shoot(
      browser,
      'consent',
      join(images, 'consent.png'),
      { width: 900, height: 1040 },
      { whole: true },
    )
    await shoot(
      browser,
      'connected-apps',
      join(images, 'connected-apps.png'),
      { width: 900, height: 820 },
      { whole: true },
    )
  }
} finally {
  await browser.close()
}
