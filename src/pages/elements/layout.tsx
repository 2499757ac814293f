import type { ComponentChildren } from 'preact'
import { languageNames } from '../../languages.ts'
import type { Language } from '../languages/languages.ts'
import { Icon } from './icons.tsx'

/** The properties of every page. */
interface PageFrame {
  readonly language: Language
  /** The path of the issuer; empty at the root. */
  readonly path: string
  readonly title: string
  /** The accent color of the client, if it has one. */
  readonly accent?: string | null | undefined
  /** The query parameters without which the page would be another one: they survive a change of language. */
  readonly keep?: Readonly<Record<string, string | undefined>> | undefined
}

interface DocumentProps extends PageFrame {
  /** Other stylesheets of `assets/`. */
  readonly styles?: readonly string[]
  /** Links beside the choice of a language. */
  readonly footer?: ComponentChildren
  readonly children: ComponentChildren
}

/** The document around every page: what it loads, and its foot with the languages. */
export function Document(props: DocumentProps) {
  const { language, path, title, accent, styles = [], keep, footer, children } = props
  const { messages } = language
  return (
    <html lang={language.code} dir={language.direction}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{title}</title>
        <link rel="stylesheet" href={`${path}/assets/pages.css`} />
        {styles.map((name) => (
          <link rel="stylesheet" key={name} href={`${path}/assets/${name}`} />
        ))}
        {accent && <link rel="stylesheet" href={`${path}/assets/accent/${accent.slice(1)}.css`} />}
        <link rel="icon" href={`${path}/assets/favicon.svg`} type="image/svg+xml" />
        <script type="module" src={`${path}/assets/pages.js`} />
      </head>
      <body>
        {children}
        <footer class="foot">
          <details class="languages">
            <summary>
              <Icon name="globe" />
              <span class="sr">{messages.language}: </span>
              {languageNames[language.code]}
            </summary>
            <form method="get">
              <Hidden values={keep} />
              {Object.entries(languageNames).map(([code, name]) => (
                <button
                  type="submit"
                  key={code}
                  name="lang"
                  value={code}
                  lang={code}
                  aria-current={code === language.code ? 'true' : undefined}
                >
                  {name}
                </button>
              ))}
            </form>
          </details>
          {footer}
        </footer>
      </body>
    </html>
  )
}

interface LayoutProps extends PageFrame {
  /** A sentence below the title. */
  readonly lead?: ComponentChildren
  readonly footer?: ComponentChildren
  readonly children?: ComponentChildren
}

/** One quiet column, for the pages of a sign-in. */
export function Layout({ lead, children, ...frame }: LayoutProps) {
  const { path, title } = frame
  return (
    <Document {...frame}>
      <main class="card">
        <img class="logo" src={`${path}/assets/logo.svg`} alt="" height="40" />
        <h1>{title}</h1>
        {lead && <p class="lead">{lead}</p>}
        {children}
      </main>
    </Document>
  )
}

interface HiddenProps {
  readonly values?: Readonly<Record<string, string | undefined>> | undefined
}

/** Hidden fields; absent values are left out. */
export function Hidden({ values = {} }: HiddenProps) {
  return (
    <>
      {Object.entries(values).map(
        ([name, value]) =>
          value !== undefined && <input type="hidden" key={name} name={name} value={value} />,
      )}
    </>
  )
}
