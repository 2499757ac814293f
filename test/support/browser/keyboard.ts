import type { Page } from 'playwright-core'

/** More than a page has, with those of the browser itself. */
const mostStops = 30

/** Presses Tab until the element has the focus, as somebody without a mouse does. */
export async function tabTo(page: Page, selector: string): Promise<void> {
  const isThere = () =>
    page.evaluate(`document.activeElement?.matches(${JSON.stringify(selector)}) ?? false`)
  for (let stop = 0; stop < mostStops; stop += 1) {
    if (await isThere()) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`the focus does not come to ${selector} on ${page.url()}`)
}

/** The names of everything that takes the focus, in its order. */
export async function focusOrder(page: Page): Promise<string[]> {
  const names: string[] = []
  const focused = `(() => {
    const { activeElement: one, body } = document
    if (!one || one === body) return ''
    one.dataset.visited = (one.dataset.visited ?? '') + 'x'
    return one.dataset.visited === 'x' ? (one.labels?.[0] ?? one).innerText.trim() || one.name || one.ariaLabel : ''
  })()`
  for (let stop = 0; stop < mostStops; stop += 1) {
    await page.keyboard.press('Tab')
    const name = String(await page.evaluate(focused))
    if (name === '') break
    names.push(name)
  }
  return names
}
