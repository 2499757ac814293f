/** A change of a client that cannot be made; the message says why. */
export class ClientRefused extends Error {
  override readonly name = 'ClientRefused'
  readonly reason: 'unknown' | 'refused' | 'too_long'

  constructor(message: string, reason: 'unknown' | 'refused' | 'too_long' = 'refused') {
    super(message)
    this.reason = reason
  }
}

export const unknownClient = (id: string): ClientRefused =>
  new ClientRefused(`There is no client ${id}. See: signet clients list`, 'unknown')
