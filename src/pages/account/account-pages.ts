import type { Client } from '../../clients/client.ts'
import type { Clients } from '../../clients/clients.ts'
import { type Now, secondsBetween } from '../../clock.ts'
import type { Context, Middleware } from '../../http/context.ts'
import type { SignedInBrowser } from '../../sessions/browser-sessions.ts'
import type { User } from '../../users/user.ts'
import { type FlowPages, ownForm, redirect, type Visit, visitOf } from '../flow-page.ts'
import { languageFor } from '../language-for.ts'
import type { AccountMessages } from '../languages/account-en.ts'
import { type AccountPageName, accountPath } from './account-page-names.ts'

type OfFlow = Pick<FlowPages, 'flow' | 'browserSignIn' | 'path' | 'origin' | 'sessionSeconds'>

/** The dependencies of all account pages. */
export interface AccountPages extends OfFlow {
  readonly clients: Clients
  readonly now: Now
}

/** A person at a page of their account. */
export interface AccountVisit extends Visit {
  readonly browser: SignedInBrowser
  readonly user: User
  readonly texts: AccountMessages
}

type Show = (ctx: Context, visit: AccountVisit) => Promise<void> | void
type Submit = (ctx: Context, visit: AccountVisit, fields: FormFields) => Promise<void> | void
export type FormFields = Readonly<Record<string, string>>

/** ASVS 7.5.1: after this time a person confirms with their password before a page that needs it opens. */
const recentSeconds = 600
/** How much longer they may take to fill the page in. */
const fillSeconds = 600

interface Needs {
  /** The page changes how its person can sign in. */
  readonly recent?: boolean
}

/** A page of the person whose browser it is; everybody else signs in first. */
export const shown =
  (pages: AccountPages, name: AccountPageName, show: Show, needs: Needs = {}): Middleware =>
  async (ctx) => {
    const visit = await personOf(pages, ctx, name)
    if (!visit) return
    if (needs.recent && !isRecent(visit, pages.now(), 0)) return askAgain(pages, ctx, name)
    await show(ctx, visit)
  }

/** A form of such a page. It is not read unless a page of this server has sent it. */
export const submitted = (
  pages: AccountPages,
  name: AccountPageName,
  submit: Submit,
  needs: Needs = {},
): Middleware => {
  const handle = personSubmitted(pages, name, submit, needs)
  return async (ctx) => handle(ctx, await ownForm(pages, ctx))
}

/** The same for fields that were read already. */
export const personSubmitted =
  (pages: AccountPages, name: AccountPageName, submit: Submit, needs: Needs = {}) =>
  async (ctx: Context, fields: FormFields): Promise<void> => {
    const visit = await personOf(pages, ctx, name)
    if (!visit) return
    if (needs.recent && !isRecent(visit, pages.now(), fillSeconds)) {
      return askAgain(pages, ctx, name)
    }
    await submit(ctx, visit, fields)
  }

async function personOf(
  pages: AccountPages,
  ctx: Context,
  name: AccountPageName,
): Promise<AccountVisit | undefined> {
  const visit = await visitOf(pages, ctx, undefined)
  const { browser } = visit
  const user = browser && (await pages.flow.userOf(browser))
  if (!browser || !user) {
    redirect(ctx, `${pages.path}/sign-in?return=${name}`)
    return undefined
  }
  const language = languageFor(ctx, [], user.locale)
  return { ...visit, browser, user, language, texts: language.accountMessages }
}

const isRecent = ({ browser }: AccountVisit, now: Date, more: number): boolean =>
  secondsBetween(browser.session.authTime, now) <= recentSeconds + more

const askAgain = ({ path }: AccountPages, ctx: Context, name: AccountPageName): void =>
  redirect(ctx, `${path}/account/confirm?page=${name}`)

/** After a form: its page again, with a notice of what was done. */
export const done = ({ path }: AccountPages, ctx: Context, name: AccountPageName, what = 'saved') =>
  redirect(ctx, `${accountPath(path, name)}?done=${what}`)

/** The notice that `done` asks for; only fixed texts are ever shown. */
export function noticeOf(ctx: Context, notices: Readonly<Record<string, string>>) {
  const name = new URLSearchParams(ctx.querystring).get('done') ?? ''
  return Object.hasOwn(notices, name) ? notices[name] : undefined
}

/** The name that a person is known by here. */
export const nameOf = ({ username, email }: User): string => username ?? email ?? ''

/** The clients of these ids, as far as they exist. */
export async function clientsOf(
  { clients }: AccountPages,
  ids: Iterable<string>,
): Promise<ReadonlyMap<string, Client>> {
  const found = await Promise.all([...new Set(ids)].map((id) => clients.find(id)))
  return new Map(found.flatMap((one) => (one ? [[one.client.id, one.client]] : [])))
}

/** True for the id of a row; PostgreSQL refuses other texts. */
export const isId = (text: string | undefined): text is string =>
  text !== undefined && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
