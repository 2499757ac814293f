/** Who does it: an administrator or the person, with a session; nobody on the command line. */
export interface Actor {
  readonly actorId?: string | undefined
  readonly ip?: string | undefined
}

/** How the details of an event name them. */
export const byActor = ({ actorId }: Actor): { by?: string } =>
  actorId === undefined ? {} : { by: actorId }
