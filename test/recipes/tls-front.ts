import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Closing } from '../support/server/closing.ts'
import { forward } from './forward.ts'

/** TLS as an operator's proxy ends it, with a certificate of its own that clients are given. */
export interface TlsFront {
  readonly url: string
  readonly certificate: string
  /** Where requests go. */
  target: string
}

export async function startTlsFront(folder: string, closing: Closing): Promise<TlsFront> {
  const [key, certificate] = [join(folder, 'tls.key'), join(folder, 'tls.crt')]
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=tests']
  const names = ['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate]
  const { status, stderr } = spawnSync('openssl', [...args, ...names], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl has made no certificate: ${stderr}`)
  const front = { url: '', certificate, target: '' }
  const pair = { key: await readFile(key), cert: await readFile(certificate) }
  const server = createServer(pair, (incoming, answer) => {
    forward(incoming, answer, front.target)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.add(() => {
    server.closeAllConnections()
    server.close()
  })
  front.url = `https://localhost:${(server.address() as AddressInfo).port}`
  return front
}
