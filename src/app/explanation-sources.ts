import type { Sources } from '../explanations/sources.ts'
import type { Runtime, Services } from './services.ts'

/** The services that explanations ask. */
export function explanationSources(runtime: Runtime, services: Services): Sources {
  const { db, config, now, databaseClock } = runtime
  const { keyring, accessTokens, idTokens, codec, refreshRotation } = services
  const { codes, browsers, clients, users, audit, refusals, assertions, sealed, flow } = services
  return {
    db,
    issuer: config.issuer,
    now,
    offsetSeconds: () => databaseClock?.offsetSeconds ?? 0,
    keyring,
    accessTokens,
    idTokens,
    codec,
    refreshRotation,
    codes,
    browsers,
    clients,
    users,
    audit,
    refusals,
    assertions,
    sealed,
    flow,
  }
}
