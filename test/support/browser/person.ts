import type { Page } from 'playwright-core'
import { ada } from '../../../tools/fixtures.ts'

/** Fills in the sign-in page and sends it. */
export async function signIn(page: Page, { username, password } = ada): Promise<void> {
  await page.fill('input[name=username]', username)
  await page.fill('input[name=password]', password)
  await page.click('main button[type=submit]:not([name])')
}

/** Decides on the consent page. */
export const decide = (page: Page, decision: 'allow' | 'deny'): Promise<void> =>
  page.click(`button[name=decision][value=${decision}]`)
