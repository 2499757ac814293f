import type { LanguageCode } from '../../languages.ts'
import { ar } from './ar.ts'
import { de } from './de.ts'
import { en, type MailTexts } from './en.ts'
import { es } from './es.ts'
import { fr } from './fr.ts'
import { ja } from './ja.ts'
import { ptBr } from './pt-br.ts'

/** The texts of the mails in each language. */
export const mailTexts: Readonly<Record<LanguageCode, MailTexts>> = {
  en,
  de,
  fr,
  es,
  'pt-BR': ptBr,
  ja,
  ar,
}
