import { render } from 'preact-render-to-string'
import type { LanguageCode } from '../../languages.ts'
import { type Contrast, isReadable, ratioText } from './theme-contrast.ts'

/** A page of the preview, and its files in both schemes. */
interface PreviewedPage {
  readonly name: string
  readonly light: string
  readonly dark: string
}

interface Preview {
  readonly language: LanguageCode
  readonly pages: readonly PreviewedPage[]
  readonly contrasts: readonly Contrast[]
}

/** Marks the folder of a preview, so that the next one may replace it. */
export const previewMark = '<meta name="generator" content="signet theme preview"/>'

/** The page of a preview that shows all others, and the contrast of each pair of colors. */
export function previewIndex({ language, pages, contrasts }: Preview): string {
  const body = render(
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="generator" content="signet theme preview" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Theme preview</title>
        <link rel="stylesheet" href="preview.css" />
      </head>
      <body>
        <h1>Theme preview</h1>
        <p>
          {pages.length} pages with sample data, in light and dark, language {language}. Links and
          forms lead nowhere.
        </p>
        <details open={!contrasts.every(isReadable)}>
          <summary>Contrast</summary>
          <ContrastTable contrasts={contrasts} />
        </details>
        {pages.map(({ name, light, dark }) => (
          <section key={name}>
            <h2>{name}</h2>
            <Frame name={name} scheme="light" file={light} />
            <Frame name={name} scheme="dark" file={dark} />
          </section>
        ))}
      </body>
    </html>,
  )
  return `<!doctype html>${body}`
}

interface FrameProps {
  readonly name: string
  readonly scheme: string
  readonly file: string
}

function Frame({ name, scheme, file }: FrameProps) {
  return (
    <figure>
      <iframe src={file} title={`${name}, ${scheme}`} loading="lazy" />
      <figcaption>
        <a href={file}>
          {scheme}
          <span> {name}</span>
        </a>
      </figcaption>
    </figure>
  )
}

function ContrastTable({ contrasts }: { readonly contrasts: readonly Contrast[] }) {
  return (
    <table>
      <thead>
        <tr>
          {['Colors', 'Use', 'Scheme', 'Contrast', 'Needed', ''].map((heading) => (
            <th key={heading}>{heading}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {contrasts.map((one) => (
          <tr key={`${one.name} ${one.on} ${one.scheme}`}>
            <td>
              --{one.name} on --{one.on}
            </td>
            <td>{one.use}</td>
            <td>{one.scheme}</td>
            <td>{ratioText(one.ratio)}</td>
            <td>{one.least}</td>
            <td>{isReadable(one) ? '' : `${one.readable} would do`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

export const previewStylesheet = `body{margin:0;padding:2rem;font:1rem/1.5 system-ui,sans-serif;background:#e9eaee;color:#1b1c22}
h1{margin:0}
h2{margin:2.5rem 0 .75rem;font-size:1.125rem}
section{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),27rem));gap:0 1.5rem}
h2{grid-column:1/-1}
figure{margin:0}
iframe{width:100%;height:44rem;border:1px solid #b9bcc6;border-radius:.5rem;background:#fff}
figcaption{font-size:.875rem}
figcaption span{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
summary{cursor:pointer}
table{border-collapse:collapse}
th,td{padding:.25rem 1rem .25rem 0;text-align:left}
`
