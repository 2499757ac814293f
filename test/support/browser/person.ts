import type { Page } from 'playwright-core'
import { ada } from '../../../tools/fixtures.ts'

interface Account {
  readonly username: string
  readonly password: string
}

/** The button that sends the form of a page. */
export const primary = 'main form button[type=submit]:not([name])'

/** Fills in the sign-in page and sends it. */
export async function signIn(page: Page, account: Account = ada): Promise<void> {
  await fillIn(page, account)
  await page.click(primary)
}

export async function fillIn(page: Page, { username, password }: Account = ada): Promise<void> {
  await page.fill('input[name=password]', password)
  // It cannot be changed by a person who confirms who they are.
  const name = page.locator('input[name=username]:not([readonly])')
  if ((await name.count()) > 0) await name.fill(username)
}

/** Decides on the consent page. */
export const decide = (page: Page, decision: 'allow' | 'deny'): Promise<void> =>
  page.click(`button[name=decision][value=${decision}]`)

/** More pages than any way to an app has. */
const mostPages = 10

/**
 * Does as each page asks until the destination is reached, as a person does who wants to go on.
 * @throws if a page has nothing that leads on, or the pages go round in circles
 */
export async function carryOn(
  page: Page,
  destination: RegExp,
  account: Account = ada,
): Promise<string> {
  const seen: string[] = []
  for (let pages = 0; pages < mostPages; pages += 1) {
    const url = page.url()
    if (destination.test(url)) return url
    seen.push(`${url.slice(0, 80)} “${await page.title()}”`)
    await Promise.all([page.waitForEvent('load'), takeStep(page, account)])
  }
  throw new Error(`the journey does not end:\n${seen.join('\n')}`)
}

/** Presses what leads on. */
async function takeStep(page: Page, account: Account): Promise<void> {
  const isThere = async (selector: string) => (await page.locator(selector).count()) > 0
  const confirmed = page.locator('input[name=username][readonly]')
  // The page asks for the password of the person who signed in last.
  if ((await confirmed.count()) > 0 && (await confirmed.inputValue()) !== account.username) {
    return page.click('a[href*="another="]')
  }
  if (await isThere('main input[name=password]')) return signIn(page, account)
  for (const way of [
    'button[name=decision][value=allow]',
    primary,
    'main a.button',
    'main a[href]',
  ]) {
    if (await isThere(way)) return page.locator(way).first().click()
  }
  throw new Error(`a dead end: ${page.url()} “${await page.title()}”`)
}
