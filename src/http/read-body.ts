import getRawBody from 'raw-body'
import type { Context } from './context.ts'

/** No honest request is larger. */
const mostBytes = 16 * 1024

interface Refusals {
  tooLarge(mostBytes: number): Error
  broken(detail: string, cause?: unknown): Error
}

/** The bytes of a body, bounded and never compressed; each API refuses in its own words. */
export async function readBody(ctx: Context, { tooLarge, broken }: Refusals): Promise<Buffer> {
  if (!['', 'identity'].includes(ctx.get('content-encoding').toLowerCase())) {
    throw broken('a compressed body is not taken')
  }
  const length = ctx.get('content-length')
  try {
    return await getRawBody(ctx.req, { limit: mostBytes, ...(length !== '' && { length }) })
  } catch (cause) {
    if ((cause as { type?: string }).type !== 'entity.too.large') {
      throw broken('the body did not arrive whole', cause)
    }
    // What is still on its way is not read: the connection ends with the answer.
    ctx.set('connection', 'close')
    throw tooLarge(mostBytes)
  }
}
