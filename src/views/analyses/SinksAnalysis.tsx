import { useMemo, useState } from 'react';
import { headMap, isIdle, type Sinks } from '../../analyses/sinks.ts';
import { passKey } from '../../clip/encoderPass.ts';
import { outputsOf } from '../../state/passPlan.ts';
import { type AnalysisSubject, sinksAnalysis } from '../../state/promptAnalyses.ts';
import { percent, small } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import { range } from '../pictures/pixels.ts';
import { probabilityScale } from '../pictures/valueScales.ts';
import { AnalysisFrame } from './AnalysisFrame.tsx';
import styles from './analyses.module.css';
import { sinksFinding } from './analysisFindings.ts';
import { sinksTables } from './analysisTables.ts';
import { GridPicture } from './GridPicture.tsx';
import { useAnalysis } from './useAnalysis.ts';

/** Shows each head's attention on BOS beside what the head gives. */
export function SinksAnalysis({ subject }: { subject: AnalysisSubject | undefined }) {
  const analysis = useAnalysis(subject, sinksAnalysis);
  return (
    <AnalysisFrame
      title="Sinks"
      question="Many heads give most of their attention to BOS, whose row is the same for every prompt: a place to look at when there is nothing to do. What counts is the attention times the value that it fetches, ‖α v W_O‖."
      analysis={analysis}
      finding={({ result }) => sinksFinding(result)}
      tables={({ result }) => sinksTables(result)}
      limits="Means over the rows of words and EOS as queries; PAD is left out. A head counts as doing next to nothing if what it adds beside BOS is less than 1 % of the stream: such heads may add up, or matter for other prompts. With clip skip the layers after the state that is read are left out, as they do not count for the prompt."
    >
      {({ of, result }) => result.heads.length > 0 && <SinksFound of={of} result={result} />}
    </AnalysisFrame>
  );
}

function SinksFound({ of, result }: { of: AnalysisSubject; result: Sinks }) {
  const { heads } = result;
  const [[layer, head], setChosen] = useState<readonly [number, number]>([0, 0]);
  const pictures = useMemo(() => {
    const adds = heads.map((of) => of.map(({ adds }) => adds));
    return {
      attention: heads.map((of) => of.map(({ attention }) => attention)),
      weighted: heads.map((of) => of.map(({ weighted }) => weighted)),
      adds,
      shares: probabilityScale('linear', 1),
      added: probabilityScale('sqrt', Math.max(...adds.flat())),
    };
  }, [heads]);
  const shared = {
    axes: { rows: 'layer', columns: 'head' },
    rowLabels: range(heads.length).map((layer) => `${layer + 1}`),
    columnLabels: range(heads[0].length).map((head) => `${head + 1}`),
    format: percent,
    onChoose: (layer: number, head: number) => setChosen([layer, head]),
  };
  const idle = heads.flatMap((of, layer) => of.flatMap((head, i) => (isIdle(head) ? [`${layer + 1}.${i + 1}`] : [])));
  return (
    <>
      <div className={styles.pair}>
        <GridPicture
          {...shared}
          name="Attention on BOS"
          values={pictures.attention}
          scale={pictures.shares}
          unit="of α"
        />
        <GridPicture
          {...shared}
          name="The same by what it fetches: BOS’s share of ‖α v W_O‖"
          values={pictures.weighted}
          scale={pictures.shares}
          unit="of ‖α v W_O‖"
        />
        <GridPicture
          {...shared}
          name="What the head adds beside BOS, as a share of the stream"
          values={pictures.adds}
          scale={pictures.added}
          unit="of the stream"
        />
      </div>
      <p className="help">
        Choose a cell for the head’s map, token by token.{' '}
        {idle.length > 0 && `Next to nothing is done by (layer.head): ${idle.join(', ')}.`}
      </p>
      {layer < heads.length && head < heads[layer].length && (
        <ChosenHead of={of} result={result} layer={layer} head={head} />
      )}
    </>
  );
}

interface ChosenHeadProps {
  readonly of: AnalysisSubject;
  readonly result: Sinks;
  readonly layer: number;
  readonly head: number;
}

/** Shows the map of one head: where its attention goes, and how much it fetches there. */
function ChosenHead({ of: { pass, labels, eos, config }, result, layer, head }: ChosenHeadProps) {
  const show = useFacts((s) => s.show);
  const attentions = useFacts((s) => outputsOf(s).get(passKey(pass))?.output.attentions);
  const rows = useMemo(() => range(eos + 1), [eos]);
  // The pass of a result that is being replaced may have been encoded by a model of other sizes since.
  const fits = attentions?.length === config.numHiddenLayers * config.numAttentionHeads * pass.inputIds.length ** 2;
  const pictures = useMemo(() => {
    if (!attentions || !fits) return null;
    const { attention, weighted } = headMap(pass, attentions, result, [layer, head], rows);
    const most = Math.max(...weighted.flat().map((value) => value ?? 0));
    return { attention, weighted, shares: probabilityScale('sqrt', 1), lengths: probabilityScale('sqrt', most) };
  }, [pass, attentions, fits, result, layer, head, rows]);
  if (!pictures) return null;
  const name = `layer ${layer + 1}, head ${head + 1}`;
  const tokens = rows.map((row) => labels[row]);
  const shared = {
    axes: { rows: 'token', columns: 'looks at' },
    rowLabels: tokens,
    columnLabels: tokens,
    cannot: 'cannot be seen',
  };
  return (
    <>
      <div className={styles.pair}>
        <GridPicture
          {...shared}
          name={`Attention α, ${name}`}
          values={pictures.attention}
          scale={pictures.shares}
          unit="of α"
          format={percent}
        />
        <GridPicture
          {...shared}
          name={`What it fetches ‖α v W_O‖, ${name}`}
          values={pictures.weighted}
          scale={pictures.lengths}
          unit="‖α v W_O‖"
          format={small}
        />
      </div>
      <p>
        <button type="button" className="small" onClick={() => show({ layer, head, view: 'attention' })}>
          See this head in “Attention”
        </button>
      </p>
    </>
  );
}
