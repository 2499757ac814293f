import type { ExecutionContext } from 'ava'
import type { RelyingParty } from './relying-party.ts'

/** A result of the suite that is neither a failure nor a plain success. */
export interface Remark {
  readonly result: 'skipped' | 'warning'
  readonly why: string
}

/** A test module of the conformance suite of the OpenID Foundation, version 5.2.4. */
export interface Module {
  readonly name: string
  /** The guarantee, as the title of the test. */
  readonly title: string
  readonly remark?: Remark
  readonly check: (t: ExecutionContext, rp: RelyingParty) => Promise<void>
}

/** A certification profile and the plan of its modules. */
export interface Plan {
  readonly profile: string
  readonly plan: string
  readonly modules: readonly Pick<Module, 'name' | 'title' | 'remark'>[]
}

/** `name: title`, by which the results of a run are found. */
export const titleOf = ({ name, title }: Pick<Module, 'name' | 'title'>): string =>
  `${name}: ${title}`
