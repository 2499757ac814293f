import type { Locator, Page } from 'playwright-core'
import { ada } from '../../../tools/fixtures.ts'

export interface Account {
  readonly username: string
  password: string
  /** The password that the person chooses when asked for a new one. */
  other?: string
  readonly inbox?: Inbox
}

/** The mails of a person, as soon as none is under way. */
interface Inbox {
  newestText(): Promise<string>
  /** Oldest first. */
  links(): Promise<readonly string[]>
  /** The links that the person has opened. */
  readonly opened: Set<string>
}

/** The button that sends the form of a page. */
export const primary = 'main form button[type=submit]:not([name])'

/** Fills in the sign-in page and sends it. */
export async function signIn(page: Page, account: Account = ada): Promise<void> {
  await fillIn(page, account)
  await page.click(primary)
}

async function fillIn(page: Page, { username, password }: Account): Promise<void> {
  await page.fill('input[name=password]', password)
  // It cannot be changed by a person who confirms who they are.
  const name = page.locator('input[name=username]:not([readonly]), main input[name=email]')
  if ((await name.count()) > 0) await name.fill(username)
}

/** Decides on the consent page. */
export const decide = (page: Page, decision: 'allow' | 'deny'): Promise<void> =>
  page.click(`button[name=decision][value=${decision}]`)

/** More pages than any way to an app has. */
const mostPages = 12

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
    const next = await fillInPage(page, account)
    await Promise.all([
      page.waitForEvent('load'),
      typeof next === 'string' ? page.goto(next) : next.click(),
    ])
  }
  throw new Error(`the journey does not end:\n${seen.join('\n')}`)
}

const isThere = async (page: Page, selector: string) => (await page.locator(selector).count()) > 0

/**
 * Does what the page asks for, except for pressing the button.
 * @returns the button or link that leads on, or the address of a link in a mail
 */
export async function fillInPage(page: Page, account: Account = ada): Promise<Locator | string> {
  const newPassword = page.locator('main input[name=new_password]:visible')
  if ((await newPassword.count()) > 0) return chooseNewPassword(page, newPassword, account)
  const confirmed = page.locator('input[name=username][readonly]')
  // The page asks for the password of the person who signed in last.
  if ((await confirmed.count()) > 0 && (await confirmed.inputValue()) !== account.username) {
    return page.locator('a[href*="another="]')
  }
  if (await isThere(page, 'main input[name=code]')) return enterCode(page, account)
  if (await isThere(page, 'main input[name=password]')) {
    if (await isThere(page, '[role=alert]')) {
      const link = await unopenedLink(account)
      if (link) return link
      if (account.other) swapPasswords(account)
    }
    await fillIn(page, account)
    return page.locator(primary).first()
  }
  if (new URL(page.url()).searchParams.has('sent')) {
    const link = await unopenedLink(account)
    if (link) return link
  }
  const email = page.locator('main input[name=email]')
  if ((await email.count()) > 0) await email.fill(account.username)
  for (const way of [
    'button[name=decision][value=allow]',
    primary,
    'main a.button',
    'main a[href]',
  ]) {
    if (await isThere(page, way)) return page.locator(way).first()
  }
  throw new Error(`a dead end: ${page.url()} “${await page.title()}”`)
}

/** Somebody who does not get in looks into their mail. */
async function unopenedLink({ inbox }: Account): Promise<string | undefined> {
  const link = (await inbox?.links())?.findLast((one) => !inbox?.opened.has(one))
  if (link) inbox?.opened.add(link)
  return link
}

async function chooseNewPassword(page: Page, field: Locator, account: Account): Promise<Locator> {
  await field.fill(account.other ?? '')
  swapPasswords(account)
  return page.locator(primary).first()
}

/** The person does not know whether the new password was saved, and tries both. */
function swapPasswords(account: Account): void {
  const before = account.password
  account.password = account.other ?? before
  account.other = before
}

/** The code of the newest mail; without one that works, another mail; and if none comes, the person signs in. */
async function enterCode(page: Page, account: Account): Promise<Locator> {
  const text = (await account.inbox?.newestText()) ?? ''
  const [code] = /^[0-9A-Z]{4}-[0-9A-Z]{4}$/m.exec(text) ?? []
  const isWrong = await isThere(page, '[role=alert]')
  if (code && isWrong) {
    return page.locator('main .after button[type=submit]')
  }
  if (!code) return page.locator('main .after a[href*="/sign-in"]')
  await page.fill('main input[name=code]', code)
  return page.locator(primary).first()
}
