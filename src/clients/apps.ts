import type { Knex } from 'knex'

/** A client that people can open from here. */
interface LaunchableApp {
  readonly id: string
  readonly name: string
  readonly initiateLoginUri: string
}

const mostLaunchable = 50

/** Clients that people sign in to, for the home page. Anybody may open it, so each look-up has an index. */
export class Apps {
  readonly #db: Knex

  constructor(db: Knex) {
    this.#db = db
  }

  async hasAny(): Promise<boolean> {
    const row = await this.#db('clients').whereRaw('cardinality(redirect_uris) > 0').first('id')
    return row !== undefined
  }

  /** OpenID Connect Core §4: third-party initiated login. */
  async launchable(): Promise<LaunchableApp[]> {
    return this.#db('clients')
      .where({ disabled_at: null })
      .whereNotNull('initiate_login_uri')
      .orderBy('name')
      .limit(mostLaunchable)
      .select('id', 'name', 'initiate_login_uri AS initiateLoginUri')
  }
}
