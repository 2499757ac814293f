import type { ComponentChildren } from 'preact'
import type { Language } from '../languages/languages.ts'

/** The properties of every page. */
export interface PageFrame {
  readonly language: Language
  /** The path of the issuer; empty at the root. */
  readonly path: string
  readonly title: string
  /** The accent color of the client, if it has one. */
  readonly accent?: string | null | undefined
}

interface LayoutProps extends PageFrame {
  readonly children: ComponentChildren
}

/** One quiet column, for the pages of a sign-in. */
export function Layout({ language, path, title, accent, children }: LayoutProps) {
  return (
    <html lang={language.code} dir={language.direction}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{title}</title>
        <link rel="stylesheet" href={`${path}/assets/pages.css`} />
        {accent && <link rel="stylesheet" href={`${path}/assets/accent/${accent.slice(1)}.css`} />}
        <link rel="icon" href={`${path}/assets/favicon.svg`} type="image/svg+xml" />
      </head>
      <body>
        <main class="card">
          <h1>{title}</h1>
          {children}
        </main>
      </body>
    </html>
  )
}
