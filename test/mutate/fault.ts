/**
 * A small fault: the file, a piece of its source as it stands there, and what replaces it. The compiler
 * changes white space, semicolons and types only, so a piece without types is found in its output.
 */
export type Fault = readonly [file: string, old: string, replacement: string]

/** The faults of one folder of `src/`, and the folders whose tests must notice them, the likeliest first. */
export interface FaultList {
  readonly tests: readonly string[]
  readonly faults: readonly Fault[]
}

/** @throws Error when the piece is not in the code exactly once: the code has changed, so must the list */
export function withFault(code: string, [file, old, replacement]: Fault): string {
  const words = old.trim().split(/\s+/)
  const pattern = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join(';?\\s*')
  const found = [...code.matchAll(new RegExp(pattern, 'g'))]
  const [match] = found
  if (!match || found.length > 1) {
    throw new Error(`${file}: ${found.length} places have ${JSON.stringify(old)}`)
  }
  return code.slice(0, match.index) + replacement + code.slice(match.index + match[0].length)
}
