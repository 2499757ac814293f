import type { Client } from '../clients/client.ts'

const longest = 60

/**
 * The name of a client for a page: without controls that change the direction of the text around it, and not
 * so long that it hides what follows.
 */
export function clientName({ name, id }: Pick<Client, 'name' | 'id'>): string {
  const plain = (name || id)
    .replace(/\p{C}+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  const characters = [...plain]
  if (characters.length === 0) return id
  return characters.length > longest ? `${characters.slice(0, longest - 1).join('')}…` : plain
}
