import type { Range, SourceText } from '../prompt/ast.ts';
import { sliceSource } from '../prompt/sourceText.ts';
import { readVocabulary, type WordMerges, wordEnd } from './bytePairs.ts';
import { unescapeHtml } from './clean/htmlEntities.ts';
import { basicClean, fixText } from './clean/textFix.ts';
import { composeNfc, lowerCase } from './clean/textForms.ts';
import { bosTokenId, contextLength, eosTokenId } from './clipVocabulary.ts';
import type { TokenizerFlavour } from './tokenizerFlavours.ts';

export interface Token extends Range {
  readonly id: number;
  /** Vocabulary entry as in vocab.json: `cat</w>`. */
  readonly text: string;
}

export interface Tokenizer {
  readonly vocabSize: number;
  /** Ids of a chunk, BOS and EOS included: as many as the encoder has positions. */
  readonly modelMaxLength: number;
  /**
   * Ids of a text without BOS, EOS or length limit; each with the range of the prompt it was typed at, whole characters
   * even where it stands for some of a character's bytes.
   */
  tokenize(source: SourceText, flavour?: TokenizerFlavour): Token[];
  /** Vocabulary entry of an id; throws RangeError outside the vocabulary. */
  entry(id: number): string;
  /** Text of some ids as a person reads it: bytes decoded, `</w>` a space. */
  decode(ids: Iterable<number>): string;
  /** Merges that make these tokens out of one word, or one entry out of its bytes; none for BOS and EOS. */
  merges(ids: readonly number[]): WordMerges;
}

interface FlavourRules {
  clean(source: SourceText): SourceText;
  /** When `<|startoftext|>` and `<|endoftext|>` are cut out of the text, to be ids by themselves. */
  readonly cutSpecials: 'before-clean' | 'after-clean' | 'never';
  readonly words: RegExp;
  /** Treatment of a special that `words` finds: it becomes one id, or the words it is made of. */
  readonly specialWord: 'id' | 'words';
}

// Python's and Rust's \s is White_Space; JavaScript's differs by U+0085 and U+FEFF. The Python originals ignore case after
// lower(), where that still means ſ for s, and U+0345, which is a letter by case alone, belongs to no class.
const pythonWords =
  /<\|[sſ]tartoftext\|>|<\|endoftext\|>|'[sſ]|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|(?:(?!\u0345)[^\p{White_Space}\p{L}\p{N}])+/gu;
const rustWords = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;
const rust5Words =
  /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;

const flavours: Record<TokenizerFlavour, FlavourRules> = {
  'hf-slow-ftfy': {
    clean: (source) => lowerCase(fixText(source)),
    cutSpecials: 'before-clean',
    words: pythonWords,
    specialWord: 'id',
  },
  'hf-slow': {
    clean: (source) => lowerCase(basicClean(source)),
    cutSpecials: 'before-clean',
    words: pythonWords,
    specialWord: 'id',
  },
  'hf-fast': {
    clean: (source) => lowerCase(composeNfc(source), true),
    cutSpecials: 'after-clean',
    words: rustWords,
    specialWord: 'words',
  },
  'hf-v5': {
    clean: (source) => lowerCase(composeNfc(source), true),
    cutSpecials: 'before-clean',
    words: rust5Words,
    specialWord: 'words',
  },
  openai: {
    clean: (source) => lowerCase(unescapeHtml(unescapeHtml(fixText(source)))),
    cutSpecials: 'never',
    words: pythonWords,
    specialWord: 'id',
  },
};

const specialIds = new Map([
  ['<|startoftext|>', bosTokenId],
  ['<|endoftext|>', eosTokenId],
]);

/** Specials and the text between them. */
function cutSpecials(source: SourceText): SourceText[] {
  const pieces: SourceText[] = [];
  let end = 0;
  for (const { 0: special, index } of source.text.matchAll(/<\|startoftext\|>|<\|endoftext\|>/g)) {
    pieces.push(sliceSource(source, end, index), sliceSource(source, index, index + special.length));
    end = index + special.length;
  }
  return end === 0 ? [source] : [...pieces, sliceSource(source, end)];
}

const utf8 = new TextEncoder();
const utf8Length = (codePoint: number) => (codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4);

/** Words remembered with their ids; more than this and the memory starts afresh. */
const cacheSize = 10_000;
/** UTF-16 units; a longer word is not worth remembering. */
const cachedWordLength = 100;

/**
 * `merges`: CLIP's 48,894 merges, one `left right` a line in rank order (public/clip-merges.txt). Throws where they are not. Chunks
 * are of CLIP's 77 ids: maxLength.ts makes a tokenizer of others.
 */
export function createTokenizer(merges: string): Tokenizer {
  const { entries, byteLengths, bytes, encode, merges: wordMerges } = readVocabulary(merges);
  const cache = new Map<string, readonly number[]>();

  function wordIds(word: string): readonly number[] {
    const cached = cache.get(word);
    if (cached) return cached;
    const ids = encode(utf8.encode(word));
    if (word.length <= cachedWordLength) {
      if (cache.size >= cacheSize) cache.clear();
      cache.set(word, ids);
    }
    return ids;
  }

  /** Adds the tokens of the word at unit `from` of a cleaned text. */
  function addTokens(tokens: Token[], source: SourceText, from: number, ids: readonly number[]): void {
    // The character that holds the byte last looked at: its first unit, the unit after it, and the byte after it.
    let first = from;
    let after = from;
    let bytesAfter = 0;
    let byte = 0;
    for (const id of ids) {
      const start = source.starts[byte === bytesAfter ? after : first];
      byte += byteLengths[id];
      while (bytesAfter < byte) {
        first = after;
        const codePoint = source.text.codePointAt(first)!;
        after += codePoint > 0xffff ? 2 : 1;
        bytesAfter += utf8Length(codePoint);
      }
      tokens.push({ id, text: entries[id], start, end: source.ends[after - 1] });
    }
  }

  function entry(id: number): string {
    const text = entries[id];
    if (text === undefined) throw new RangeError(`Token id ${id} is outside 0 … ${entries.length - 1}`);
    return text;
  }

  return {
    vocabSize: entries.length,
    modelMaxLength: contextLength,
    entry,

    tokenize(source, flavour = 'hf-slow-ftfy') {
      const rules = flavours[flavour];
      const tokens: Token[] = [];
      const addWords = (text: SourceText) => {
        for (const { 0: word, index } of text.text.matchAll(rules.words)) {
          const special = specialIds.get(word);
          if (special === undefined) addTokens(tokens, text, index, wordIds(word));
          else if (rules.specialWord === 'id') addTokens(tokens, text, index, [special]);
          else
            for (const part of word.matchAll(/\w+|\W+/g)) addTokens(tokens, text, index + part.index, wordIds(part[0]));
        }
      };
      const addPieces = (text: SourceText, clean: (source: SourceText) => SourceText) => {
        for (const piece of cutSpecials(text)) {
          const special = specialIds.get(piece.text);
          if (special === undefined) addWords(clean(piece));
          else addTokens(tokens, piece, 0, [special]);
        }
      };
      if (rules.cutSpecials === 'before-clean') addPieces(source, rules.clean);
      else if (rules.cutSpecials === 'after-clean') addPieces(rules.clean(source), (text) => text);
      else addWords(rules.clean(source));
      return tokens;
    },

    decode(ids) {
      const text: number[] = [];
      for (const id of ids) {
        const word = entry(id).endsWith(wordEnd);
        text.push(...bytes(id));
        if (word) text.push(0x20);
      }
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(text));
    },

    merges(ids) {
      const specials: readonly number[] = [bosTokenId, eosTokenId];
      const word = Uint8Array.from(ids.flatMap((id) => [...bytes(id)]));
      if (ids.some((id) => specials.includes(id))) return { word, bytes: ids, steps: [] };
      return wordMerges(word, ids.length > 0 && entry(ids[ids.length - 1]).endsWith(wordEnd));
    },
  };
}
