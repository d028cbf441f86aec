import { useCallback, useMemo, useState } from 'react';
import type { Ablations } from '../../analyses/ablation.ts';
import { type HeadAblation, headAblations } from '../../analyses/analysisEncoder.ts';
import { rowsWithoutPart } from '../../analyses/namedRows.ts';
import { type AnalysisSubject, ablationAnalysis } from '../../state/promptAnalyses.ts';
import { percent, small } from '../page/numbers.ts';
import { Segmented } from '../page/Segmented.tsx';
import { range } from '../pictures/pixels.ts';
import { probabilityScale } from '../pictures/valueScales.ts';
import { AnalysisFrame } from './AnalysisFrame.tsx';
import { AnalysisPictures } from './AnalysisPictures.tsx';
import { ablationFinding } from './analysisFindings.ts';
import { ablationTables } from './analysisTables.ts';
import { GridPicture } from './GridPicture.tsx';
import { SaveConditioning } from './SaveConditioning.tsx';
import { useAnalysis } from './useAnalysis.ts';

const ways: Readonly<Record<HeadAblation, string>> = { zero: 'adds nothing', uniform: 'attends to all alike' };

/** Shows how far the rows move where a head or an MLP is switched off. */
export function Ablation({ subject }: { subject: AnalysisSubject | undefined }) {
  const [way, setWay] = useState<HeadAblation>('zero');
  const analysisOf = useCallback((of: AnalysisSubject) => ablationAnalysis(of, way), [way]);
  const analysis = useAnalysis(subject, analysisOf);
  return (
    <AnalysisFrame
      title="Ablation"
      question="Each head, and each layer’s MLP, is switched off, one at a time, and the encoder goes on from there: how far do the rows move?"
      analysis={analysis}
      finding={({ result }) => ablationFinding(result)}
      tables={({ of, result }) => ablationTables(of, result)}
      limits="The rest of the encoder was trained with the part that is missing, so that a large change does not tell what the part is for, and parts that stand in for each other look unimportant one by one. With clip skip the last layers cannot change anything, whatever is in them; they are hatched. BOS sees itself alone: even attention is its own."
      controls={
        <Segmented
          legend="A head that is off"
          name="ablation"
          choices={headAblations.map((value) => ({ value, label: ways[value] }))}
          value={way}
          onChange={setWay}
        />
      }
    >
      {({ of, result, isStale }) => <AblationFound of={of} result={result} way={way} isStale={isStale} />}
    </AnalysisFrame>
  );
}

interface AblationFoundProps {
  readonly of: AnalysisSubject;
  readonly result: Ablations;
  readonly way: HeadAblation;
  readonly isStale: boolean;
}

function AblationFound({ of, result: { heads, mlps, length }, way, isStale }: AblationFoundProps) {
  const { labels, eos, pass } = of;
  const [[layer, part], setChosen] = useState<readonly [number, number]>([0, 0]);
  const h = heads[0].length;
  const picture = useMemo(() => {
    const shareOf = (total: number | null) => (total === null ? null : total / length);
    const values = heads.map((of, i) => [...of.map(({ total }) => shareOf(total)), shareOf(mlps[i].total)]);
    return { values, scale: probabilityScale('sqrt', Math.max(0, ...values.flat().map((share) => share ?? 0))) };
  }, [heads, mlps, length]);
  const isHere = layer < heads.length && part <= h;
  const effect = isHere ? (part < h ? heads[layer][part] : mlps[layer]) : heads[0][0];
  const rows = range(Math.min(eos + 2, labels.length));
  const changes = rows.map((row) => effect.rows[row]);
  const name = part < h ? `head ${part + 1}` : 'the MLP';
  return (
    <>
      <GridPicture
        name="Change of all rows, as a share of their length; choose a cell for its rows"
        axes={{ rows: 'layer', columns: 'head' }}
        rowLabels={range(heads.length).map((i) => `${i + 1}`)}
        columnLabels={[...range(h).map((i) => `${i + 1}`), 'MLP']}
        values={picture.values}
        scale={picture.scale}
        unit="of ‖C‖"
        cannot="cannot change anything"
        format={percent}
        onChoose={(row, column) => setChosen([row, column])}
      />
      <GridPicture
        name={`Change of each row without ${name} of layer ${layer + 1}`}
        axes={{ rows: 'without', columns: 'row' }}
        rowLabels={[part < h ? `${layer + 1}.${part + 1}` : `${layer + 1}.MLP`]}
        columnLabels={rows.map((row) => labels[row])}
        values={[changes]}
        scale={probabilityScale('sqrt', Math.max(0, ...changes.map((change) => change ?? 0)))}
        unit="‖ΔC‖"
        cannot="cannot change"
        format={small}
      />
      <SaveConditioning
        of={of}
        isStale={isStale}
        what={`the conditioning without ${name} of layer ${layer + 1}`}
        rows={
          isHere && effect.total !== null
            ? (encoder) => rowsWithoutPart(pass, { layer, head: part < h ? part : null, way }, encoder)
            : null
        }
      />
      <AblationPictures layer={isHere ? layer : 0} heads={h} way={way} />
    </>
  );
}

/** The prompt drawn from the whole encoder, and without each part of a layer. */
function AblationPictures({ layer, heads, way }: { layer: number; heads: number; way: HeadAblation }) {
  const takes = useMemo(
    () => [
      { label: 'nothing off' },
      ...range(heads).map((head) => ({ label: `without head ${head + 1}`, off: { layer, head, way } })),
      { label: 'without the MLP', off: { layer, head: null, way } },
    ],
    [layer, heads, way],
  );
  return (
    <AnalysisPictures study="asked" takes={takes}>
      Each part of layer {layer + 1} is switched off, one at a time; choose a cell above for another layer. The negative
      prompt is read without it, too.
    </AnalysisPictures>
  );
}
