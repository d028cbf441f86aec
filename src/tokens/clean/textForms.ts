import type { SourceText } from '../../prompt/ast.ts';
import { rewrite } from './rewrite.ts';

/** Unicode NFC; characters composed into one were typed where all of them were. */
export function composeNfc(source: SourceText): SourceText {
  // Putting n marks in order takes the platform O(n²): runs of over 500 are composed piece by piece.
  if (!/\p{M}{500}/u.test(source.text) && source.text.normalize('NFC') === source.text) return source;
  // A character and all that may attach to it: marks, Hangul vowels and final consonants, the Kirat Rai vowel sign.
  const cluster =
    /[^\p{M}\u1160-\u11ff\u{16d67}][\p{M}\u1160-\u11ff\u{16d67}]{0,500}|[\p{M}\u1160-\u11ff\u{16d67}]{1,500}/gu;
  return rewrite(source, cluster, (characters) => characters.normalize('NFC'));
}

/** Lower case, a word's last sigma `ς` as in Python's str.lower(); `perCharacter` as in Rust's char::to_lowercase, always `σ`. */
export function lowerCase(source: SourceText, perCharacter = false): SourceText {
  // İ is the one character that grows: i and a combining dot.
  const sameLength = rewrite(source, /İ/g, () => 'i\u0307');
  const text = perCharacter ? sameLength.text.replaceAll('Σ', 'σ') : sameLength.text;
  return { ...sameLength, text: text.toLowerCase() };
}
