import { useEffect, useMemo, useState } from 'react';
import type { Operation, Stage } from '../../clip/stages.ts';
import { wantedInspection } from '../../state/anatomy.ts';
import type { Facts, Inspected } from '../../state/facts.ts';
import { shownChunk } from '../../state/reading.ts';
import { shownConfig, shownHead, shownLayer } from '../../state/shownSizes.ts';
import { tokenizerOf, tokenLabels } from '../../state/tokenLabels.ts';
import { Segmented } from '../page/Segmented.tsx';
import { Slider } from '../page/Slider.tsx';
import { useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { Waiting } from '../page/Waiting.tsx';
import styles from './anatomy.module.css';
import { Matrix } from './Matrix.tsx';
import { matricesOf } from './tensorPicture.ts';

interface TensorProps {
  readonly stage: Stage;
  readonly operation: Operation;
}

/** The layer to read back for a stage: −1 before the layers, N after them. */
function layerOf({ place }: Stage, facts: Facts): number {
  if (place === 'before') return -1;
  return place === 'layer' ? shownLayer(facts) : shownConfig(facts).numHiddenLayers;
}

/** Reads the tensors of the stage's layer back while it is on show; undefined while they, or the encode, are under way. */
function useInspected(stage: Stage): Inspected | undefined {
  const wanted = useFacts((s) => wantedInspection(s, layerOf(stage, s)));
  const inspected = useFacts((s) => s.inspected);
  const inspect = useFacts((s) => s.inspect);
  useEffect(() => (wanted ? inspect(wanted) : undefined), [wanted, inspect]);
  return wanted && inspected?.inspection === wanted ? inspected : undefined;
}

/**
 * The matrices of a stage's layer for the chunk on show, read back while the component is: the last there were, and whether they
 * are those of now.
 */
export function useLayerMatrices(stage: Stage) {
  const inspected = useInspected(stage);
  const chunk = useFacts((s) => shownChunk(s)?.chunk);
  const tokenizer = useFacts(tokenizerOf);
  const now = useMemo(() => {
    if (inspected?.task.phase !== 'done' || !chunk || !tokenizer) return undefined;
    const { inspection, task } = inspected;
    return {
      inspection,
      matrices: matricesOf(task.result, inspection),
      labels: tokenLabels(chunk.tokens, tokenizer),
      kinds: chunk.tokens.map(({ kind }) => kind),
    };
  }, [inspected, chunk, tokenizer]);
  const shown = useLast(now);
  const failure = inspected?.task.phase === 'failed' ? inspected.task.message : null;
  return { shown, isStale: !now, failure };
}

/** The matrix of an operation for the chunk on show, with the sum behind the cell that is chosen. */
export function Tensor({ stage, operation }: TensorProps) {
  const { shown, isStale, failure } = useLayerMatrices(stage);
  const noEngine = useFacts((s) => s.noEngine);
  const hasEncoder = useFacts((s) => s.model !== null && s.lost === null);
  const config = useFacts(shownConfig);
  const head = useFacts(shownHead);
  const show = useFacts((s) => s.show);
  const [isInput, setIsInput] = useState(false);
  const { rule, shape } = operation;
  const hasInput = 'of' in rule && rule.of === 'hidden';

  if (noEngine !== null)
    return (
      <p className={styles.difference}>
        {noEngine} The diagram, the equations and the code are here all the same; a matrix needs the encoder.
      </p>
    );
  if (failure !== null)
    return (
      <div className="notice" data-severity="error" role="alert">
        <span>{failure}</span>
      </div>
    );
  if (!shown && !hasEncoder) return <Waiting />;
  if (!shown)
    return <p className={`muted ${styles.waiting}`}>Reading the matrices of this layer back from the encoder</p>;
  const isSameSize = shown.inspection.config === config;
  return (
    <div className={styles.tensor} data-part={operation.tensor} aria-busy={isStale} data-stale={isStale || undefined}>
      <div className="row">
        {hasInput && (
          <Segmented
            legend="Rows"
            name="anatomy-input"
            choices={[
              { value: false, label: 'after' },
              { value: true, label: 'before (residual stream)' },
            ]}
            value={isInput}
            onChange={setIsInput}
          />
        )}
        {shape.length === 3 && (
          <Slider label="Head" count={config.numAttentionHeads} value={head} onChange={(head) => show({ head })} />
        )}
      </div>
      {isSameSize && <Matrix {...shown} operation={operation} isInput={hasInput && isInput} head={head} />}
    </div>
  );
}
