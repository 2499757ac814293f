/** A change of a client that cannot be made; the message says why. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly reason: 'unknown' | 'refused' | 'too_long'

  constructor(message: string, reason: 'unknown' | 'refused' | 'too_long' = 'refused') {
    super(message)
    this.reason = reason
  }
}

export const unknownClient = (id: string): ClientError =>
  new ClientError(`There is no client ${id}. See: signet clients list`, 'unknown')
