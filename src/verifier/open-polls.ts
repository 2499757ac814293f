import { channel } from 'node:diagnostics_channel'

/** What undici, the `fetch` of Node, publishes when a request goes out on its socket. */
interface SentRequest {
  readonly request?: { readonly origin?: string | URL; readonly path?: string }
  readonly socket?: { unref?(): unknown }
}

const sent = channel('undici:client:sendHeaders')
const polls = new Map<string, number>()

const letGo = (message: unknown) => {
  const { request, socket } = message as SentRequest
  if (request?.path && polls.has(new URL(request.path, request.origin).href)) socket?.unref?.()
}

/**
 * A request that is meant to hang must not keep a process alive that has nothing else to do. `fetch`
 * shows nobody its socket, but Node's publishes it; undici refs it again for the next request. With
 * another `fetch` the process ends when the poll does.
 * @returns to be called when the request is over
 */
export function unrefPoll(url: string): () => void {
  const { href } = new URL(url)
  if (polls.size === 0) sent.subscribe(letGo)
  polls.set(href, (polls.get(href) ?? 0) + 1)
  return () => {
    const others = (polls.get(href) ?? 0) - 1
    if (others > 0) polls.set(href, others)
    else polls.delete(href)
    if (polls.size === 0) sent.unsubscribe(letGo)
  }
}
