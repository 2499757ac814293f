import type { Line } from '../../users/transfer.ts'

const longestLineBytes = 65_536
const newline = 0x0a

/** A line, with the offset of its end, from which an import can continue. */
interface FileLine extends Line {
  readonly end: number
}

/** A position between two lines. */
interface Place {
  readonly line: number
  readonly end: number
}

/**
 * Reads a file of any size line by line. A line that is too long is yielded without its text, so that a
 * file with one huge line does not fill the memory.
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  from: Place = { line: 0, end: 0 },
): AsyncGenerator<FileLine> {
  let { line, end } = from
  let parts: Uint8Array[] = []
  let bytes = 0
  const take = (part: Uint8Array) => {
    bytes += part.length
    if (bytes <= longestLineBytes) parts.push(part)
    else parts = []
  }
  const finish = (terminator: number): FileLine => {
    line += 1
    end += bytes + terminator
    const text = bytes > longestLineBytes ? undefined : decode(Buffer.concat(parts))
    parts = []
    bytes = 0
    return { number: line, text, end }
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, start)) {
      take(chunk.subarray(start, at))
      yield finish(1)
      start = at + 1
    }
    take(chunk.subarray(start))
  }
  if (bytes > 0) yield finish(0)
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function decode(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}
