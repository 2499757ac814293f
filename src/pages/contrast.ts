/** The contrast of text: WCAG 2.2 §1.4.3. */
export const leastContrast = 4.5

/** Red, green and blue of `#rrggbb` or `#rgb`; undefined for any other text. */
function rgbOf(color: string): [number, number, number] | undefined {
  const [, text] = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(color.trim()) ?? []
  if (text === undefined) return undefined
  const digits = text.length === 3 ? text.replace(/./g, '$&$&') : text
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) =>
    Number.parseInt(digits.slice(at, at + 2), 16),
  )
  return [red, green, blue]
}

/** WCAG 2.2, "relative luminance". */
function luminance(rgb: readonly number[]): number {
  const [red = 0, green = 0, blue = 0] = rgb.map((value) => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/** From 1 (the same) to 21 (black on white). Colors that are not hexadecimal have none. */
export function contrastOf(one: string, other: string): number | undefined {
  const [first, second] = [rgbOf(one), rgbOf(other)]
  if (!first || !second) return undefined
  const [dark = 0, light = 0] = [luminance(first), luminance(second)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

/** Above this luminance black is easier to read on a color than white. */
const middle = 0.179

/** The color itself, or as little darker or lighter as text on this surface needs. */
export function readableOn(color: string, surface: string, least = leastContrast): string {
  const rgb = rgbOf(color)
  const behind = rgbOf(surface)
  if (!rgb || !behind) return color
  const target = luminance(behind) > middle ? 0 : 255
  for (let step = 0; step <= 100; step += 1) {
    const mixed = hexOf(rgb.map((value) => Math.round(value + ((target - value) * step) / 100)))
    if ((contrastOf(mixed, surface) ?? 0) >= least) return mixed
  }
  return target === 0 ? '#000000' : '#ffffff'
}

/** Black or white, whichever can be read better on it. */
export const textOn = (color: string): string =>
  (contrastOf(color, '#ffffff') ?? 0) >= leastContrast ? '#ffffff' : '#000000'

const hexOf = (rgb: readonly number[]): string =>
  `#${rgb.map((value) => value.toString(16).padStart(2, '0')).join('')}`
