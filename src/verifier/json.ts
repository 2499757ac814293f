import { isUtf8 } from 'node:buffer'

export type JsonObject = Readonly<Record<string, unknown>>

/** The object that these bytes say in UTF-8 (RFC 8725 §3.7); undefined for everything else. */
export function jsonObject(bytes: Uint8Array): JsonObject | undefined {
  if (!isUtf8(bytes)) return undefined
  try {
    const value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
