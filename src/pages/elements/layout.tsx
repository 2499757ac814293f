import type { ComponentChildren } from 'preact'
import { languageNames } from '../../languages.ts'
import type { Language } from '../languages/languages.ts'
import { useLook } from '../theme/theme.ts'
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
  const { favicon } = useLook()
  return (
    <html lang={language.code} dir={language.direction}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{title}</title>
        <Stylesheets path={path} styles={styles} accent={accent} />
        <link rel="icon" href={`${path}/assets/${favicon.href}`} type={favicon.type} />
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

interface StylesheetsProps {
  readonly path: string
  readonly styles?: readonly string[]
  readonly accent?: string | null | undefined
}

/** The stylesheets of a page: the later one wins, so a theme is behind those of this server. */
export function Stylesheets({ path, styles = [], accent }: StylesheetsProps) {
  const { stylesheet } = useLook()
  const own = accent && `accent/${accent.slice(1)}.css`
  const names = ['pages.css', ...styles, stylesheet, own].filter((name) => typeof name === 'string')
  return (
    <>
      {names.map((name) => (
        <link rel="stylesheet" key={name} href={`${path}/assets/${name}`} />
      ))}
    </>
  )
}

/** The logo of the service, and beside it that of the client, if the theme has one. */
function Logos({ path }: { readonly path: string }) {
  const { logo, clientLogo } = useLook()
  const image = (href: string) => (
    <img class="logo" src={`${path}/assets/${href}`} alt="" height="40" />
  )
  return clientLogo ? (
    <div class="logos">
      {image(logo)}
      {image(clientLogo)}
    </div>
  ) : (
    image(logo)
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
        <Logos path={path} />
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
