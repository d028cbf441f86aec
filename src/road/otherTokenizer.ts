/** Says at the prompt that a tokenizer was chosen which makes other tokens of it than the program's own. */
import type { Diagnostic, Fragment, Range } from '../prompt/ast.ts';
import { info } from '../prompt/diagnostics.ts';
import { programs } from '../prompt/syntax.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { flavourOf, ownFlavour } from '../tokens/tokenizerFlavours.ts';
import type { PromptOptions } from './options.ts';
import type { PreparedText } from './preparedPrompt.ts';

/** Takes the texts of a prompt. Gives one message at most: it spans the first to the last token that differs. */
export function otherTokenizer(
  texts: readonly Pick<PreparedText, 'fragments'>[],
  options: PromptOptions,
  tokenizer: Tokenizer,
): Diagnostic[] {
  if (flavourOf(options) === ownFlavour[options.syntax]) return [];
  const ranges = texts.flatMap(({ fragments }) =>
    fragments.flatMap((fragment) => differingRange(fragment, options, tokenizer)),
  );
  if (ranges.length === 0) return [];
  const span = {
    start: Math.min(...ranges.map(({ start }) => start)),
    end: Math.max(...ranges.map(({ end }) => end)),
  };
  const message = `${programs[options.syntax]}’s own tokenizer makes other tokens of this than the one chosen under Tokenizer.`;
  return [info('other-tokenizer', span, message)];
}

function differingRange(fragment: Fragment, options: PromptOptions, tokenizer: Tokenizer): Range[] {
  if (fragment.kind !== 'text') return [];
  const chosen = tokenizer.tokenize(fragment, flavourOf(options));
  const own = tokenizer.tokenize(fragment, ownFlavour[options.syntax]);
  let first = 0;
  while (first < chosen.length && chosen[first].id === own[first]?.id) first++;
  if (first === chosen.length && first === own.length) return [];
  let last = 0;
  const most = Math.min(chosen.length, own.length) - first;
  while (last < most && chosen.at(-1 - last)!.id === own.at(-1 - last)!.id) last++;
  const [here, there] = [chosen, own].map((tokens) => tokens.slice(first, tokens.length - last));
  const differing = [here[0], there[0], here.at(-1), there.at(-1)].filter((token) => token !== undefined);
  return [
    {
      start: Math.min(...differing.map(({ start }) => start)),
      end: Math.max(...differing.map(({ end }) => end)),
    },
  ];
}
