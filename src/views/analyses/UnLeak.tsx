import { useMemo } from 'react';
import type { PromptItem } from '../../analyses/promptItems.ts';
import { sides } from '../../prompt/side.ts';
import type { Facts } from '../../state/facts.ts';
import { prepared, shownChunk } from '../../state/reading.ts';
import { methods } from '../../weighting/methods.ts';
import { longestPsi, psi } from '../../weighting/psi.ts';
import { readPsi, rowsWithin, withoutMap } from '../../weighting/psiMaps.ts';
import { useFacts } from '../page/useFacts.ts';
import { aloneMap, rowsText, withMap } from '../psi/psiTexts.ts';

/** Whether weights may be lost to another method: one of them changes a row of either prompt, or a prompt is not read yet. */
const areWeightsApplied = (facts: Facts): boolean =>
  sides
    .map((side) => prepared(facts, side))
    .some((one) => !one || one.texts.some(({ applied }) => applied.some((weights) => weights.some((w) => w !== 1))));

/** Has the conditioning, and so the export, take each word's rows from where it is alone. */
export function UnLeak() {
  const context = useFacts((s) => s.options.context);
  const weighting = useFacts((s) => s.options.weighting);
  const setOption = useFacts((s) => s.setOption);
  const isWeighted = useFacts(areWeightsApplied);
  const isAlone = context === 'alone';
  return (
    <>
      <p>
        <button
          type="button"
          className="small"
          aria-pressed={isAlone}
          onClick={() => setOption('context', isAlone ? 'prompt' : 'alone')}
        >
          Un-leak the words
        </button>{' '}
        <span className="muted">
          {isAlone
            ? 'The conditioning has each word’s rows as they are alone, before weights; so has the export. The numbers here are the encoder’s own.'
            : 'In the conditioning, and in what is exported, each word’s rows are replaced by those that it has alone; EOS and PAD stay.'}
        </span>
      </p>
      {!isAlone && (
        <p className="help">
          {weighting === psi.name ? (
            <>
              A single word of the table is un-leaked by a map of its rows in the ψ lab. “{psi.label}” is the weighting:
              typed weights count only where a map names w.
            </>
          ) : isWeighted ? (
            <>
              A single word is un-leaked by “{psi.label}”, which would take the place of “{methods[weighting].label}”
              and leave your typed weights out: take them out yourself, or choose that weighting if they may go.
            </>
          ) : (
            <>
              A single word of the table is un-leaked by a map of its rows in the ψ lab, and “{psi.label}” becomes the
              weighting: weights that you type later count only where a map names w.
            </>
          )}{' '}
          A map goes by the numbers of rows, so that the rows of the same numbers in the other prompt are taken alone,
          too, and it stays where it is when you edit.
        </p>
      )}
    </>
  );
}

interface UnLeakWordProps {
  readonly item: PromptItem;
  /** Whether the rows are those of an earlier prompt. */
  readonly isStale: boolean;
}

/** Writes the map that takes one word's rows alone, or takes it out again. */
export function UnLeakWord({ item: { text, rows }, isStale }: UnLeakWordProps) {
  const options = useFacts((s) => s.options);
  const setOption = useFacts((s) => s.setOption);
  const replace = useFacts((s) => s.replace);
  const first = useFacts((s) => {
    const chunk = shownChunk(s);
    return chunk ? chunk.index * chunk.chunk.tokens.length : 0;
  });
  const isWeighted = useFacts(areWeightsApplied);
  const { rowMaps } = options;
  const maps = useMemo(() => readPsi(rowMaps), [rowMaps]);
  const isPsi = options.weighting === psi.name;
  const own = rows.map((row) => first + row);
  const map = aloneMap(maps, own);
  const isTaken = maps.maps.some(({ intervals }) => rowsWithin(intervals, own[0], own[own.length - 1] + 1).length > 0);
  if (options.context === 'alone') return 'is alone';
  if (isTaken && !map) return `${rowsText(own)}: another map in the ψ lab`;
  const written = map ? rowMaps : withMap(rowMaps, own, 'alone', null);
  const press = () => {
    if (map && isPsi) setOption('rowMaps', withoutMap(rowMaps, map));
    else if (isPsi) setOption('rowMaps', written);
    else
      replace(
        { options: { ...options, weighting: psi.name, rowMaps: written } },
        `“${text}” is un-leaked: “${psi.label}” is the weighting now.`,
      );
  };
  return (
    <button
      type="button"
      className="small"
      aria-pressed={map !== undefined && isPsi}
      disabled={isStale || (isWeighted && !isPsi) || written.length > longestPsi}
      onClick={press}
    >
      Un-leak <span className="visually-hidden">“{text}”</span>
    </button>
  );
}
