import { type RequestOptions, request } from 'node:http'
import { request as requestByTls } from 'node:https'
import { isLoopback } from '../oauth/redirect-uri.ts'
import { callSpan } from '../telemetry/call-span.ts'

/** The longest that one request takes, from the name lookup to the end of the answer. */
const requestSeconds = 5
/** The answer matters for its status alone; a longer one is not read to its end. */
const mostBytes = 4096

/** True if notifications may be sent there: https, or http on this machine. */
function mayBeCalled(uri: string): boolean {
  if (!URL.canParse(uri)) return false
  const url = new URL(uri)
  return url.protocol === 'https:' || isLoopback(url)
}

/**
 * Sends a logout token: OpenID Connect Back-Channel Logout 1.0 §2.5. It follows no redirect, because the
 * client registered this URI and no other.
 * @returns the status of the answer
 * @throws Error when there is none in time
 */
export async function postLogout(
  uri: string,
  token: string,
  stopping: AbortSignal,
): Promise<number> {
  if (!mayBeCalled(uri)) throw new Error('the URI is neither https nor on loopback')
  return callSpan('POST', uri, async ({ headers, answered }) => {
    const status = await post(uri, token, stopping, headers)
    answered(status)
    return status
  })
}

async function post(
  uri: string,
  token: string,
  stopping: AbortSignal,
  traceHeaders: Readonly<Record<string, string>>,
): Promise<number> {
  const body = Buffer.from(`logout_token=${token}`)
  const late = AbortSignal.timeout(requestSeconds * 1000)
  const options: RequestOptions = {
    method: 'POST',
    // A connection of its own: clients are notified seldom, and an idle one may be closed just then.
    agent: false,
    maxHeaderSize: mostBytes,
    signal: AbortSignal.any([late, stopping]),
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': body.length,
      accept: '*/*',
      'user-agent': 'signet',
      connection: 'close',
      ...traceHeaders,
    },
  }
  try {
    return await send(new URL(uri), options, body)
  } catch (error) {
    if (late.aborted) {
      throw new Error(`no answer within ${requestSeconds} seconds`, { cause: error })
    }
    throw error
  }
}

function send(url: URL, options: RequestOptions, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = url.protocol === 'https:' ? requestByTls(url, options) : request(url, options)
    sent.on('error', reject)
    sent.on('response', (answer) => {
      const { statusCode = 0 } = answer
      // The status says it all, even if the rest is cut off.
      const done = () => {
        sent.destroy()
        resolve(statusCode)
      }
      let bytes = 0
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > mostBytes) done()
      })
      answer.on('error', done)
      answer.on('close', done)
    })
    sent.end(body)
  })
}
