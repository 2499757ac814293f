import { OperatorError } from '../errors.ts'
import { type ClientSettings, type SettingColumns, settingsOf } from './client-settings.ts'

/** An OAuth client and what it may have. */
export interface Client extends ClientSettings {
  readonly id: string
  readonly createdAt: Date
  readonly disabledAt: Date | null
}

export interface ClientRow extends SettingColumns {
  id: string
  created_at: Date
  disabled_at: Date | null
}

export const clientOf = (row: ClientRow): Client => ({
  ...settingsOf(row),
  id: row.id,
  createdAt: row.created_at,
  disabledAt: row.disabled_at,
})

/** True if people are never asked for consent: an app of the house, unless its setting says otherwise. */
export const skipsConsent = (client: Client): boolean =>
  client.firstParty && (client.consent ?? 'skip') === 'skip'

/** RFC 6749 §2.1: a public client has no credentials. */
export const isPublic = (client: Client): boolean => client.authenticationMethod === 'none'

export const usesSecret = (client: Client): boolean =>
  client.authenticationMethod === 'client_secret_basic' ||
  client.authenticationMethod === 'client_secret_post'

/** A change of a client that cannot be made; the message says why. */
export class ClientError extends OperatorError {
  override readonly name = 'ClientError'
  readonly reason: 'unknown' | 'refused' | 'too_long'

  constructor(message: string, reason: 'unknown' | 'refused' | 'too_long' = 'refused') {
    super(message)
    this.reason = reason
  }
}

export const unknownClient = (id: string): ClientError =>
  new ClientError(`There is no client ${id}. See: signet clients list`, 'unknown')
