/** A form of a page: where it leads, and what it sends if nothing is filled in. */
export interface PageForm {
  readonly action: string
  readonly method: string
  readonly fields: Readonly<Record<string, string>>
  /** The names and values of its buttons: one of them is sent, if it has a name. */
  readonly buttons: readonly { readonly name: string; readonly value: string }[]
}

/** An answer as a browser without JavaScript sees it. */
export interface Visited {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly html: string
  /** Where a redirect leads, absolute; empty without one. */
  readonly location: string
  readonly forms: readonly PageForm[]
}

export interface VisitOptions {
  readonly form?: Readonly<Record<string, string>> | URLSearchParams
  readonly headers?: Readonly<Record<string, string>>
  /** The form or link is on a page of another site, so a `SameSite=Lax` cookie comes with a GET alone. */
  readonly isCrossSite?: boolean
}

const mostRedirects = 10

/** A browser without JavaScript that walks a whole flow: it follows redirects, fills forms, presses buttons. */
export class FlowBrowser {
  readonly cookies = new Map<string, string>()
  /** The `Set-Cookie` lines of the last answer. */
  lastSetCookies: readonly string[] = []
  url: string

  /** @param url the server; set `url` to move to another instance of it */
  constructor(url: string) {
    this.url = url
  }

  /** One request, without following a redirect. */
  async visit(path: string, options: VisitOptions = {}): Promise<Visited> {
    const { form, isCrossSite = false } = options
    const target = new URL(path, this.url)
    const sendsCookies = !(isCrossSite && form)
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(target, {
      redirect: 'manual',
      headers: {
        'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
        'sec-fetch-site': isCrossSite ? 'cross-site' : 'same-origin',
        ...(form && { origin: isCrossSite ? 'https://elsewhere.example' : target.origin }),
        ...(sendsCookies && cookie !== '' && { cookie }),
        ...options.headers,
      },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
    this.lastSetCookies = response.headers.getSetCookie()
    for (const line of this.lastSetCookies) this.#keep(line)
    const html = await response.text()
    const location = response.headers.get('location')
    return {
      url: target.href,
      status: response.status,
      headers: response.headers,
      html,
      location: location === null ? '' : new URL(location, target).href,
      forms: formsOf(html),
    }
  }

  /** Follows redirects within the server, until a page or an address elsewhere. */
  async open(path: string, options: VisitOptions = {}): Promise<Visited> {
    let visited = await this.visit(path, options)
    for (let count = 0; count < mostRedirects && this.#isOwn(visited.location); count++) {
      visited = await this.visit(visited.location)
    }
    return visited
  }

  /**
   * Sends a form of a page, with values for its fields, and follows.
   * @param button the name and value of the pressed button, if it has a name
   */
  submit(
    page: Visited,
    values: Readonly<Record<string, string>> = {},
    which: (form: PageForm) => boolean = ({ method }) => method === 'post',
  ): Promise<Visited> {
    const form = page.forms.find(which)
    if (!form) throw new Error(`there is no such form at ${page.url}: ${page.html.slice(0, 2000)}`)
    return this.open(new URL(form.action, page.url).href, { form: { ...form.fields, ...values } })
  }

  #isOwn(location: string): boolean {
    return location !== '' && new URL(location).origin === new URL(this.url).origin
  }

  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (/; Max-Age=0(;|$)/i.test(line)) this.cookies.delete(name)
    else this.cookies.set(name, value)
  }
}

/** Values are quoted, and may hold `>`. */
const attributes = '(?:[^>"]|"[^"]*")*'

export function formsOf(html: string): PageForm[] {
  return [...html.matchAll(new RegExp(`<form\\b(${attributes})>(.*?)</form>`, 'gs'))].map(
    ([, head = '', body = '']) => ({
      action: attribute(head, 'action') ?? '',
      method: (attribute(head, 'method') ?? 'get').toLowerCase(),
      fields: Object.fromEntries(
        [...body.matchAll(new RegExp(`<input\\b(${attributes})>`, 'g'))].flatMap(
          ([, input = '']) => {
            const name = attribute(input, 'name')
            const isSent = !/type="(checkbox|radio)"/.test(input) || /\bchecked\b/.test(input)
            return name && isSent ? [[name, attribute(input, 'value') ?? '']] : []
          },
        ),
      ),
      buttons: [...body.matchAll(new RegExp(`<button\\b(${attributes})>`, 'g'))].flatMap(
        ([, button = '']) => {
          const name = attribute(button, 'name')
          return name ? [{ name, value: attribute(button, 'value') ?? '' }] : []
        },
      ),
    }),
  )
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(tag)?.[1]
  return value === undefined ? undefined : decoded(value)
}

const entities: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
}

const decoded = (text: string): string =>
  text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => entities[entity] ?? entity)

/** The visible text of a page, in one line. */
export const visibleText = (html: string): string =>
  decoded(
    html
      .replace(/<(script|style|title)\b[\s\S]*?<\/\1>/g, ' ')
      .replace(/<wbr\/?>/g, '')
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' '),
  )

/** The addresses of links and forms of a page. */
export const waysOn = (html: string): string[] =>
  [...html.matchAll(/<(?:a\b[^>]*\bhref|form\b[^>]*\baction)="([^"#]+)"/g)].map(([, to = '']) =>
    decoded(to),
  )
