import { directionOf, type LanguageCode } from '../languages.ts'

/** The content of a mail: sentences, and links and codes on a line of their own. */
export interface Wording {
  readonly subject: string
  readonly parts: readonly (string | { readonly link: string } | { readonly code: string })[]
}

export interface Rendered {
  readonly subject: string
  readonly text: string
  readonly html: string
}

/*
 * Unicode's isolates (UAX 9): a name or an address between them does not change the order of the words
 * around it. They are used in a language that is written from right to left.
 */
const isolateStart = '\u2068'
const isolateEnd = '\u2069'

/** A name or an address within a sentence of a language. */
export const isolated = (text: string, language: LanguageCode): string =>
  directionOf(language) === 'rtl' ? `${isolateStart}${text}${isolateEnd}` : text

/** Renders a mail as text and as HTML. The HTML loads nothing, so opening the mail notifies no server. */
export function layOut({ subject, parts }: Wording, language: LanguageCode): Rendered {
  const paragraphs = parts.map((part) => {
    if (typeof part === 'string') return { text: part, html: `<p>${sentence(part)}</p>` }
    if ('link' in part) return { text: part.link, html: `<p>${anchor(part.link)}</p>` }
    return {
      text: part.code,
      html: `<p style="${codeStyle}"><span dir="ltr">${escapeHtml(part.code)}</span></p>`,
    }
  })
  // A subject is one line of its own, which needs no isolates, and some mailboxes show them as boxes.
  const plain = subject.replaceAll(isolateStart, '').replaceAll(isolateEnd, '')
  const head = `<meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>${escapeHtml(plain)}</title>`
  const html = [
    '<!doctype html>',
    `<html lang="${language}" dir="${directionOf(language)}"><head>${head}</head>`,
    `<body style="${bodyStyle}">`,
    ...paragraphs.map((paragraph) => paragraph.html),
    '</body></html>',
    '',
  ]
  const text = paragraphs.map((paragraph) => paragraph.text).join('\n\n')
  return { subject: plain, text: `${text}\n`, html: html.join('\n') }
}

// No colours: the mailbox chooses them, light or dark.
const bodyStyle =
  'max-width:36em;margin:0 auto;padding:16px;font:16px/1.5 system-ui,-apple-system,sans-serif'
const codeStyle = 'font:600 24px/1.5 ui-monospace,monospace;letter-spacing:2px'

/** A long link breaks anywhere, so that a narrow mailbox does not scroll. */
const anchor = (url: string): string =>
  `<a href="${escapeHtml(url)}" dir="ltr" style="word-break:break-all">${escapeHtml(url)}</a>`

const sentence = (text: string): string =>
  escapeHtml(text).replaceAll(isolateStart, '<bdi>').replaceAll(isolateEnd, '</bdi>')

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => entities[c] ?? '')

/**
 * Untrusted text that may stand in a mail. Undefined for text that a mail must not carry to a stranger:
 * control characters, and anything that a mail program would turn into a link.
 */
export const harmless = (text: string | undefined): string | undefined =>
  !text || text.length > 64 || /\p{C}|[:/\\@]|\.\p{L}{2}/u.test(text) ? undefined : text

/** An address that its owner recognizes and that a stranger cannot write to. */
export function partlyHidden(email: string | undefined): string | undefined {
  const [, first, domain] = /^([^\s\p{C}])\S*@([\w.-]+)$/u.exec(email ?? '') ?? []
  return first && domain && `${first}…@${domain}`
}
