import type { ExecutionContext } from 'ava'
import type { NewUser } from '../../../src/users/new-user.ts'
import { FlowBrowser, type Visited } from '../http/flow-browser.ts'
import { type ServerOptions, startServer, type TestServer } from '../server/start-server.ts'
import { addPerson, goodPassword } from './account-api.ts'

/** Signs in at the account pages, as somebody does whom no app has sent. */
export async function signedInBrowser(
  server: TestServer,
  username: string,
  password = goodPassword,
): Promise<FlowBrowser> {
  const browser = new FlowBrowser(server.url)
  const page = await browser.submit(await browser.open('/sign-in'), { username, password })
  if (page.status !== 200) throw new Error(`${username} cannot sign in: ${page.status}`)
  return browser
}

interface Opened {
  readonly server: TestServer
  readonly userId: string
  readonly browser: FlowBrowser
}

/** A server, a person, and a browser in which that person has just signed in. */
export async function openAccount(
  t: ExecutionContext<unknown>,
  different: Partial<NewUser> = {},
  options: ServerOptions = {},
): Promise<Opened> {
  const server = await startServer(t, options)
  const { id: userId } = await addPerson(server, 'grace', different)
  return { server, userId, browser: await signedInBrowser(server, 'grace') }
}

/** Sends the form of a page that leads to an address, without following. */
export async function sendForm(
  browser: FlowBrowser,
  path: string,
  values: Readonly<Record<string, string>> = {},
  action = path,
): Promise<Visited> {
  const page = await browser.visit(path)
  const form = page.forms.find((one) => one.action === action && one.method === 'post')
  if (!form) throw new Error(`no form to ${action} at ${path}: ${page.status} ${page.html}`)
  return browser.visit(action, { form: { ...form.fields, ...values } })
}

/** Where a redirect leads, without the origin; '' without one. */
export const leadsTo = ({ location }: Visited): string => {
  if (location === '') return ''
  const { pathname, search } = new URL(location)
  return pathname + search
}

/** The visible text of a page, in one line. */
export const textOf = ({ html }: Visited): string =>
  html
    .replace(/<(script|style|title|svg|select)\b[\s\S]*?<\/\1>/g, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&amp;/g, '&')
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/\s+/g, ' ')

/** The names of the events of a person, oldest first. */
export const eventsOf = async ({ db }: TestServer, userId: string): Promise<string[]> =>
  db('audit_events').where({ user_id: userId }).orderBy('id').pluck('event')

/** Addresses within the server that a page links or sends forms to. */
export const waysOn = ({ html }: Visited): string[] =>
  [...html.matchAll(/<(?:a\b[^>]*\bhref|form\b[^>]*\baction)="(\/[^"]*)"/g)].map(([, to = '']) =>
    to.replaceAll('&amp;', '&'),
  )
