/** A page as a browser has loaded it, redirects not followed. */
export interface LoadedPage {
  readonly response: Response
  readonly status: number
  readonly text: string
  /** `Location`; empty without one. */
  readonly location: string
}

/** Fields of a form, by name. */
export type FormFields = Readonly<Record<string, string>>

/** More redirects than any flow has. */
const mostRedirects = 10

/** A browser without JavaScript: it keeps cookies, and sends the forms of a page from the same origin. */
export class TestBrowser {
  readonly cookies = new Map<string, string>()
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>

  /**
   * @param url of the server
   * @param headers on every request, such as `accept-language`
   */
  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.#url = url
    this.#headers = headers
  }

  /**
   * Opens a page, or sends a form to it.
   * @param headers instead of those of a browser, such as `sec-fetch-site` of another site
   */
  async open(
    path: string,
    form?: FormFields,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<LoadedPage> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(new URL(path, this.#url), {
      redirect: 'manual',
      headers: { cookie, 'sec-fetch-site': 'same-origin', ...this.#headers, ...headers },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
    for (const line of response.headers.getSetCookie()) this.#keep(line)
    const { status } = response
    const location = response.headers.get('location') ?? ''
    return { response, status, text: await response.text(), location }
  }

  /** Opens a page and follows redirects of this server; one to elsewhere is returned. */
  async follow(path: string, form?: FormFields): Promise<LoadedPage> {
    let page = await this.open(path, form)
    for (let count = 0; page.location !== '' && count < mostRedirects; count += 1) {
      const target = new URL(page.location, this.#url)
      if (target.origin !== new URL(this.#url).origin) return page
      page = await this.open(target.href)
    }
    return page
  }

  /** Opens a page and sends its form: the hidden fields of the page, and those that a person fills in. */
  async fill(path: string, fields: FormFields, action = actionPath(path)): Promise<LoadedPage> {
    const { text } = await this.open(path)
    return this.open(action, { ...hiddenFields(text), ...fields })
  }

  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (/Max-Age=0/.test(line)) this.cookies.delete(name)
    else this.cookies.set(name, value)
  }
}

/** A form is sent to its page, without the query. */
const actionPath = (path: string): string => path.replace(/\?.*/, '')

/** The hidden fields of a page. */
export const hiddenFields = (html: string): Record<string, string> =>
  Object.fromEntries(
    [...html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(
      ([, name = '', value = '']) => [name, asText(value)],
    ),
  )

/** The visible text of a page, in one line. */
export const visibleText = (html: string): string =>
  asText(
    html
      .replace(/<(script|style|title)\b[\s\S]*?<\/\1>/g, ' ')
      .replace(/<wbr\/?>/g, '')
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' '),
  )

/** The addresses of links and forms of a page. */
export const waysOn = (html: string): string[] =>
  [...html.matchAll(/<(?:a\b[^>]*\bhref|form\b[^>]*\baction)="([^"#]+)"/g)].map(([, to = '']) =>
    asText(to),
  )

const entities: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&amp;': '&',
}

const asText = (html: string): string =>
  html.replace(/&(?:lt|gt|quot|#39|amp);/g, (entity) => entities[entity] ?? entity)
