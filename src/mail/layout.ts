/** The content of a mail: sentences, and links on a line of their own. */
export interface Wording {
  readonly subject: string
  readonly parts: readonly (string | { readonly link: string })[]
}

export interface Rendered {
  readonly subject: string
  readonly text: string
  readonly html: string
}

/** Renders a mail as text and as HTML. The HTML loads nothing, so opening the mail notifies no server. */
export function layOut({ subject, parts }: Wording): Rendered {
  const text = parts.map((part) => (typeof part === 'string' ? part : part.link)).join('\n\n')
  const body = parts.map((part) =>
    typeof part === 'string' ? `<p>${escapeHtml(part)}</p>` : `<p>${anchor(part.link)}</p>`,
  )
  const head = `<meta charset="utf-8"><title>${escapeHtml(subject)}</title>`
  const html = `<!doctype html>\n<html lang="en"><head>${head}</head>\n<body>\n${body.join('\n')}\n</body></html>\n`
  return { subject, text: `${text}\n`, html }
}

const anchor = (url: string): string => `<a href="${escapeHtml(url)}">${escapeHtml(url)}</a>`

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => entities[c] ?? '')

/**
 * Untrusted text in quotation marks. Undefined for text that a mail must not carry to a stranger:
 * control characters, and anything that a mail program would turn into a link.
 */
export function quoted(text: string | undefined): string | undefined {
  if (!text || text.length > 64 || /\p{C}|[:/\\@]|\.\p{L}{2}/u.test(text)) return undefined
  return `“${text}”`
}

/** An address that its owner recognizes and that a stranger cannot write to. */
export function partlyHidden(email: string | undefined): string | undefined {
  const [, first, domain] = /^(\S)\S*@([\w.-]+)$/u.exec(email ?? '') ?? []
  return first && domain && `${first}…@${domain}`
}
