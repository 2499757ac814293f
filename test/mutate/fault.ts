/** A small fault: a piece of the source, exactly as it stands there, and what replaces it. */
export interface Fault {
  /** Below `src/`. */
  readonly file: string
  readonly old: string
  readonly new: string
  /** The test file, below the folder's tests, that is most likely to notice: it runs first. */
  readonly first?: string
}

/** The faults of one folder of `src/`, and the folders of `test/` whose tests must notice them. */
export interface FaultList {
  readonly tests: readonly string[]
  readonly faults: readonly Fault[]
}

/**
 * Puts a fault into the compiled code of its file. The compiler changes white space, semicolons and the
 * names of imports only, so a piece without types is found in its output.
 *
 * @throws Error when the piece is not there exactly once: the code has changed, so the list must follow
 */
export function withFault(code: string, { file, old, new: replacement }: Fault): string {
  const words = old.trim().split(/\s+/)
  const pattern = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join(';?\\s+')
  const found = [...code.matchAll(new RegExp(pattern, 'g'))]
  const [match] = found
  if (!match || found.length > 1) {
    throw new Error(`${file}: ${found.length} places have ${JSON.stringify(old)}`)
  }
  const after = match.index + match[0].length
  return code.slice(0, match.index) + replacement + code.slice(after)
}
