import { useId, useMemo, useRef, useState } from 'react';
import type { EncoderPass } from '../../clip/encoderPass.ts';
import { unappliedCodes } from '../../road/study/weightSentences.ts';
import { encodedZ, shownWeighted, type WeightedEncoding } from '../../state/encoded.ts';
import {
  type ChosenFragment,
  chosenFragment,
  shownBenchPasses,
  shownSweepPlan,
  shownText,
} from '../../state/methodBench.ts';
import { ownPasses } from '../../state/passPlan.ts';
import { prepared } from '../../state/reading.ts';
import { tokenizerOf, tokenLabels } from '../../state/tokenLabels.ts';
import { type MethodName, methods } from '../../weighting/methods.ts';
import { rowChanges } from '../../weighting/study/compareMethods.ts';
import { Composed } from '../embeddings/Composed.tsx';
import methodsStyles from '../methods/methods.module.css';
import { useSweepPasses } from '../methods/useSweepPasses.ts';
import { WeightSweep } from '../methods/WeightSweep.tsx';
import { Why } from '../methods/Why.tsx';
import { PassProgress } from '../page/PassProgress.tsx';
import { useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { useNeeded } from '../page/useNeeded.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Waiting } from '../page/Waiting.tsx';
import { usePointed } from '../pictures/pointed.ts';
import { MethodTotals } from './MethodTotals.tsx';
import { TokenBars } from './TokenBars.tsx';
import styles from './weights.module.css';

/** Shows what the weights do to each row of the chunk on show: the picture that reacts to a weight. */
export function Weights() {
  const now = useFacts(shownWeighted);
  const weighted = useLast(now);
  return (
    <section className={`panel ${styles.weights}`} id="weights" aria-labelledby="weights-title" tabIndex={-1}>
      <ViewHeader view="weights" lead={<Lead method={weighted?.method} />} />
      {weighted ? (
        <>
          <WeightRows weighted={weighted} stale={!now} />
          <OnDemand tokens={weighted.encoded.chunk.tokens} />
        </>
      ) : (
        <Waiting />
      )}
    </section>
  );
}

/** Names the method that applies the weights, once there are numbers of it. */
function Lead({ method }: { readonly method: MethodName | undefined }) {
  return (
    <>
      How far each weight moves its token’s row of numbers
      {method && ` when “${methods[method].label}” applies it`}: how long the row is before and after, and how far it
      went in between. A1111’s default moves every row a little, weighted or not; “Why” shows the sum behind it. BOS,
      EOS and PAD are the marks before and after your words.
    </>
  );
}

/** Each token's row before and after weighting, and the sum behind the one that is asked for. */
export function WeightRows({ weighted, stale }: { weighted: WeightedEncoding; stale: boolean }) {
  const titleId = useId();
  const { encoded, method, before, after, place, isAlone } = weighted;
  const { chunk, text, index, config } = encoded;
  const tokenizer = useFacts(tokenizerOf);
  const zOf = useFacts((s) => encodedZ(s, ownPasses(s, s.side)));
  const unapplied = useFacts((s) => prepared(s, s.side)?.diagnostics.find(({ code }) => unappliedCodes.includes(code)));
  const [asked, setAsked] = useState<number | null>(null);
  const changes = useMemo(() => rowChanges(after, before, config.hiddenSize), [after, before, config]);
  const shown = encoded.prepared.texts[text];
  const { tokens } = chunk;
  const labels = tokenizer ? tokenLabels(tokens, tokenizer) : [];
  const ask = (row: number) => {
    setAsked(row);
    requestAnimationFrame(() => document.getElementById(titleId)?.focus());
  };
  const row = asked === null ? null : Math.min(asked, tokens.length - 1);
  return (
    <div className={styles.weightRows} aria-busy={stale} data-stale={stale || undefined}>
      <div>
        {unapplied && <p className="warning">{unapplied.message}</p>}
        <TokenBars
          changes={changes}
          tokens={tokens}
          applied={shown.applied[index]}
          labels={labels}
          asked={row}
          onAsk={ask}
        />
        <Composed weighted={weighted} />
      </div>
      {row !== null && zOf && (
        <div>
          {place.isComposed && !isAlone && (
            <p className="help">Explained is the row of this text by itself, before it is composed with the others.</p>
          )}
          <Why
            method={method}
            bench={{ text: shown, zOf }}
            row={index * tokens.length + row}
            labels={labels}
            titleId={titleId}
            onClose={() => setAsked(null)}
          />
        </div>
      )}
    </div>
  );
}

const none: readonly EncoderPass[] = [];

/** Offers the totals of all methods, and the sweep of a word: each encoded when it is asked for. */
function OnDemand({ tokens }: { tokens: WeightedEncoding['encoded']['chunk']['tokens'] }) {
  const [isCompared, setIsCompared] = useState(false);
  const [swept, setSwept] = useState<{ readonly chosen: ChosenFragment | null } | null>(null);
  const benchPasses = useFacts((s) => (isCompared ? shownBenchPasses(s) : none));
  const plan = useFacts((s) => (swept ? shownSweepPlan(s, swept.chosen) : undefined));
  const sweepPasses = useSweepPasses(plan);
  const frame = useRef<HTMLDivElement>(null);
  useNeeded(
    'weights',
    useMemo(() => [...benchPasses, ...(sweepPasses ?? none)], [benchPasses, sweepPasses]),
  );
  return (
    <div className={styles.onDemand} ref={frame}>
      <div className="toolbar">
        <button type="button" aria-expanded={isCompared} onClick={() => setIsCompared(!isCompared)}>
          Totals of all methods
        </button>
        <SweepButton
          tokens={tokens}
          isOpen={swept !== null}
          onToggle={(chosen) => setSwept(swept ? null : { chosen })}
        />
      </div>
      {isCompared && <MethodTotals progress={<PassProgress passes={benchPasses} />} />}
      {swept && (
        <div className={methodsStyles.sweep}>
          <WeightSweep plan={plan} passes={sweepPasses} onChoose={(chosen) => setSwept({ chosen })} />
        </div>
      )}
    </div>
  );
}

interface SweepButtonProps {
  readonly tokens: WeightedEncoding['encoded']['chunk']['tokens'];
  readonly isOpen: boolean;
  onToggle(chosen: ChosenFragment | null): void;
}

/** Opens the sweep of the text that the caret or the pointer was at last. */
function SweepButton({ tokens, isOpen, onToggle }: SweepButtonProps) {
  const { query } = usePointed();
  const source = useFacts((s) => s.prompts[s.side]);
  const side = useFacts((s) => s.side);
  const text = useFacts(shownText);
  const [last, setLast] = useState<number | null>(null);
  const fragment = query === null ? null : (tokens[query]?.fragment ?? null);
  if (fragment !== null && fragment !== last) setLast(fragment);
  const ranges = tokens.flatMap((token) => (token.fragment === last && token.range ? [token.range] : []));
  const typed = ranges.length > 0 ? source.slice(ranges[0].start, ranges[ranges.length - 1].end) : null;
  const isThere = last !== null && text?.fragments[last] !== undefined;
  const chosen = isThere ? chosenFragment(text, last, side) : null;
  const name = typed && typed.length > 30 ? `${typed.slice(0, 30)}…` : typed;
  return (
    <button type="button" aria-expanded={isOpen} onClick={() => onToggle(chosen)}>
      {name === null || isOpen ? 'Sweep a weight' : `Sweep the weight of “${name}”`}
    </button>
  );
}
