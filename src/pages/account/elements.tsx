import type { ComponentChildren } from 'preact'
import { accountScope } from '../../api/access-control.ts'
import { deviceNames } from '../../device-names.ts'
import { Alert, ErrorSummary, Notice } from '../elements/form.tsx'
import { Icon, type IconName } from '../elements/icons.tsx'
import { Document } from '../elements/layout.tsx'
import { breakable } from '../elements/person.tsx'
import type { AccountMessages } from '../languages/account-en.ts'
import type { Language } from '../languages/languages.ts'
import { useLook } from '../theme/theme.ts'
import { type AccountPageName, accountPath } from './account-page-names.ts'
import { type AccountPages, type AccountVisit, nameOf } from './account-pages.ts'

/** The navigation, in its order. Pages that are below another one mark that one. */
const entries = [
  ['overview', 'overview', 'app'],
  ['profile', 'profile', 'person'],
  ['email', 'email', 'mail'],
  ['password', 'passwordPage', 'shield'],
  ['apps', 'apps', 'globe'],
  ['sessions', 'sessions', 'device'],
  ['api-keys', 'apiKeys', 'key'],
  ['activity', 'activity', 'clock'],
  ['data', 'data', 'download'],
] as const satisfies readonly (readonly [AccountPageName, keyof AccountMessages, IconName])[]

const parents: Partial<Record<AccountPageName, AccountPageName>> = {
  'new-api-key': 'api-keys',
  delete: 'data',
}

interface AccountLayoutProps {
  readonly pages: AccountPages
  readonly visit: AccountVisit
  readonly name: AccountPageName
  readonly title: string
  readonly lead?: string
  /** The outcome of the form before. */
  readonly notice?: string | undefined
  /** An error that belongs to no field. */
  readonly alert?: string | undefined
  /** The sentence for each field that is wrong. */
  readonly errors?: Readonly<Record<string, string>>
  readonly children: ComponentChildren
}

/** An account page: who is signed in, the navigation, and the page itself. */
export function AccountLayout(props: AccountLayoutProps) {
  const { pages, visit, name, title, lead, notice, alert, errors = {}, children } = props
  const { language, texts, user } = visit
  const { path } = pages
  const current = parents[name] ?? name
  return (
    <Document language={language} path={path} title={title} styles={['account.css']}>
      <a class="sr skip" href="#content">
        {language.messages.skipToContent}
      </a>
      <div class="account">
        <header>
          <img src={`${path}/assets/${useLook().logo}`} alt="" height="32" />
          <bdi>{breakable(nameOf(user))}</bdi>
          <a href={`${path}/sign-out`}>{language.messages.signOut}</a>
        </header>
        <nav aria-label={texts.navigation}>
          <ul>
            {entries.map(([page, text, icon]) => (
              <li key={page}>
                <a
                  href={accountPath(path, page)}
                  aria-current={page === name ? 'page' : page === current ? 'true' : undefined}
                >
                  <Icon name={icon} />
                  {texts[text]}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <main id="content">
          <h1>{title}</h1>
          {lead && <p class="lead">{lead}</p>}
          {notice && <Notice>{notice}</Notice>}
          {alert && <Alert>{alert}</Alert>}
          <ErrorSummary language={language} errors={errors} />
          {children}
        </main>
      </div>
    </Document>
  )
}

/** A part of a page with a heading of its own. */
export function Section({
  title,
  children,
}: {
  readonly title?: string
  readonly children: ComponentChildren
}) {
  return (
    <section class="panel">
      {title && <h2>{title}</h2>}
      {children}
    </section>
  )
}

interface RowProps {
  readonly name: ComponentChildren
  /** True marks the browser of the visitor. */
  readonly mark?: string | false
  /** Lines below the name; empty ones are left out. */
  readonly lines: readonly ComponentChildren[]
  /** A button at its end. */
  readonly children?: ComponentChildren
}

/** One thing of a list, with its button. On a narrow screen the parts stand below each other. */
export function Row({ name, mark, lines, children }: RowProps) {
  return (
    <li class="row">
      <div>
        <p class="name">
          <bdi>{name}</bdi>
          {mark && <span class="mark">{mark}</span>}
        </p>
        {lines.map((line, at) => line && <p key={String(at)}>{line}</p>)}
      </div>
      {children}
    </li>
  )
}

/** A form of one button, for one thing of a list. */
export function RowButton(props: {
  readonly action: string
  readonly hidden: Readonly<Record<string, string>>
  readonly label: string
  /** The name of the thing, for people who hear the buttons alone (WCAG 2.5.3: after the visible text). */
  readonly of: string
}) {
  const { action, hidden, label, of } = props
  return (
    <form method="post" action={action}>
      {Object.entries(hidden).map(([name, value]) => (
        <input type="hidden" key={name} name={name} value={value} />
      ))}
      <button type="submit" class="secondary small">
        {label}
        <span class="sr"> {of}</span>
      </button>
    </form>
  )
}

/** A device in words that a person knows. */
export function deviceName(userAgent: string | null, texts: AccountMessages): string {
  const names = deviceNames(userAgent)
  if (names?.browser && names.system) return texts.deviceOn(names.browser, names.system)
  return names?.browser ?? names?.system ?? texts.unknownDevice
}

/** A scope of a key in words. Keys only read: they change nothing at this server. */
export const keyScopeText = (scope: string, texts: AccountMessages): string =>
  scope === accountScope ? texts.keyAccount : scope

/** A time to the minute. Without JavaScript no zone of the reader is known, so it says UTC. */
export const timeText = ({ code }: Language, at: Date): string =>
  new Intl.DateTimeFormat(code, {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    timeZone: 'UTC',
    timeZoneName: 'short',
  }).format(at)

export const dateText = ({ code }: Language, at: Date): string =>
  new Intl.DateTimeFormat(code, { dateStyle: 'medium', timeZone: 'UTC' }).format(at)

const steps = [
  ['minute', 60],
  ['hour', 3600],
  ['day', 86_400],
] as const

/** How long ago: minutes, hours or days, and after a month the date. */
export function agoText(language: Language, at: Date, now: Date): string {
  const seconds = Math.max(0, (now.getTime() - at.getTime()) / 1000)
  if (seconds > 30 * 86_400) return dateText(language, at)
  const [unit, length] = steps.findLast(([, length]) => seconds >= length) ?? steps[0]
  const format = new Intl.RelativeTimeFormat(language.code, { numeric: 'auto' })
  return format.format(-Math.floor(seconds / length), unit)
}
