/** Files that the check of language does not hold to yet. */
export const pending: readonly string[] = []
