import type { WeightedEncoding } from '../../state/encoded.ts';
import { brief } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';

/** Characters of a text in a sentence about it. */
const longestName = 40;

/** Names a text of the prompt: what was typed, quoted once and cut off where it is long. */
function textName({ prepared }: WeightedEncoding['encoded'], index: number): string {
  const { start, end } = prepared.texts[index];
  const typed = prepared.source.slice(start, end).trim().replace(/^"|"$/g, '');
  return `“${typed.length > longestName ? `${typed.slice(0, longestName)}…` : typed}”`;
}

/** Lets a person choose between a composed conditioning and the text on show by itself; nothing where both are the same. */
export function RowsChoice({ weighted: { encoded, place, isAlone } }: { weighted: WeightedEncoding }) {
  const show = useFacts((s) => s.show);
  if (!place.isComposed) return null;
  return (
    <div className="field inline">
      <label htmlFor="embedding-rows">Rows</label>
      <select
        id="embedding-rows"
        value={isAlone ? 'text' : 'conditioning'}
        onChange={(event) => show({ textAlone: event.target.value === 'text' })}
      >
        <option value="conditioning">Conditioning, as the U-Net gets it</option>
        <option value="text">{textName(encoded, encoded.text)} by itself</option>
      </select>
    </div>
  );
}

/** Says how the rows of a composed conditioning come about, or that the rows on show are not yet composed. */
export function Composed({ weighted }: { weighted: WeightedEncoding }) {
  const { encoded, place, isAlone } = weighted;
  const { texts, weight, sharesEos, isComposed } = place;
  if (!isComposed) return null;
  const sum = texts.map(({ text, factor }) => `${brief(factor)} · ${textName(encoded, text)}`).join(' + ');
  const blended = texts.length > 1 || texts[0].factor !== 1;
  const how = [
    ...(sharesEos ? ['the chunks of a text with one row at their first EOS'] : []),
    ...(blended ? [`c = ${sum}`] : []),
    ...(weight === 1
      ? []
      : [`e + (c − e) · ${brief(weight)}, with e the empty prompt${blended ? '' : ' and c this text'}`]),
  ].join('; ');
  return (
    <p className="help">
      {isAlone
        ? `This text before it is composed. The U-Net gets ${how}.`
        : `The U-Net gets ${how}. “Before weighting” is the same with every token’s weight at 1.`}
    </p>
  );
}
