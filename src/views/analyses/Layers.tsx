import { useMemo } from 'react';
import type { LayerTravel } from '../../analyses/layerTravel.ts';
import { layerRows } from '../../analyses/namedRows.ts';
import { type AnalysisSubject, layersAnalysis } from '../../state/promptAnalyses.ts';
import { percent, rough } from '../page/numbers.ts';
import { range } from '../pictures/pixels.ts';
import { probabilityScale } from '../pictures/valueScales.ts';
import { AnalysisFrame } from './AnalysisFrame.tsx';
import { AnalysisPictures } from './AnalysisPictures.tsx';
import styles from './analyses.module.css';
import { layersFinding } from './analysisFindings.ts';
import { layersTables } from './analysisTables.ts';
import { GridPicture } from './GridPicture.tsx';
import { SaveConditioning } from './SaveConditioning.tsx';
import { useAnalysis } from './useAnalysis.ts';

/** Shows how far rows have still to go at each layer, what layers add, and massive numbers. */
export function Layers({ subject }: { subject: AnalysisSubject | undefined }) {
  const analysis = useAnalysis(subject, layersAnalysis);
  return (
    <AnalysisFrame
      title="Layers"
      question="How do the rows come to be what they are? The final LayerNorm is applied after every layer, as clip skip does, and compared with the end; and what attention and the MLP add is compared with what they add it to."
      analysis={analysis}
      finding={({ of, result }) => layersFinding(of, result)}
      tables={({ of, result }) => layersTables(of, result)}
      limits="With clip skip the end is the state that is read, and layers after it are left out. A distance says that a row changes, not whether for the better. A massive number is one of at least 20 times the median size in its state; such numbers are why the encoder overflows in half precision on some devices."
    >
      {({ of, result, isStale }) => (
        <>
          <LayersFound of={of} result={result} />
          <SaveConditioning
            of={of}
            isStale={isStale}
            what="the conditioning of each layer"
            rows={(encoder) => layerRows(of.pass, result.left.length - 1, encoder)}
          />
        </>
      )}
    </AnalysisFrame>
  );
}

function LayersFound({ of: { labels, eos }, result }: { of: AnalysisSubject; result: LayerTravel }) {
  const { left, attention, mlp, massive } = result;
  const pictures = useMemo(() => {
    const rows = range(Math.min(eos + 2, labels.length));
    const of = (values: readonly Float64Array[]) => values.map((state) => rows.map((row) => state[row]));
    const scaleOf = (values: readonly (readonly number[])[]) => probabilityScale('sqrt', Math.max(0, ...values.flat()));
    const [ofLeft, ofAttention, ofMlp] = [of(left), of(attention), of(mlp)];
    const added = probabilityScale('log', Math.max(0, ...ofAttention.flat(), ...ofMlp.flat()));
    return { columns: rows.map((row) => labels[row]), ofLeft, ofAttention, ofMlp, left: scaleOf(ofLeft), added };
  }, [left, attention, mlp, labels, eos]);
  const layerNames = range(attention.length).map((layer) => `${layer + 1}`);
  const shared = { axes: { rows: 'layer', columns: 'token' }, columnLabels: pictures.columns, format: percent };
  return (
    <>
      <div className={styles.pair}>
        <GridPicture
          {...shared}
          name="Way still to go, as a share of the row’s length"
          axes={{ rows: 'after layer', columns: 'token' }}
          rowLabels={['0', ...layerNames]}
          values={pictures.ofLeft}
          scale={pictures.left}
          unit="left"
        />
        {layerNames.length > 0 &&
          [
            { part: 'Attention', values: pictures.ofAttention },
            { part: 'The MLP', values: pictures.ofMlp },
          ].map(({ part, values }) => (
            <GridPicture
              key={part}
              {...shared}
              name={`${part} adds, as a share of the stream`}
              rowLabels={layerNames}
              values={values}
              scale={pictures.added}
              unit="of the stream"
            />
          ))}
      </div>
      <AnalysisPictures study="layers">
        The denoiser reads LN(H) of each layer in the place of the last, of both prompts. It was trained with the last
        layer alone.
      </AnalysisPictures>
      {massive.length > 0 && (
        <div className={styles.scrolling}>
          <table className={styles.numbers}>
            <caption>Massive numbers, each dimension at its largest</caption>
            <thead>
              <tr>
                <th scope="col">Dimension</th>
                <th scope="col">After layer</th>
                <th scope="col">Token</th>
                <th scope="col">Number</th>
                <th scope="col">Times the median</th>
              </tr>
            </thead>
            <tbody>
              {massive.slice(0, 12).map(({ dimension, state, row, value, ratio }) => (
                <tr key={dimension}>
                  <th scope="row">{dimension}</th>
                  <td>{state}</td>
                  <td>
                    {labels[row]} ({row})
                  </td>
                  <td>{rough(value)}</td>
                  <td>{rough(ratio)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {massive.length > 12 && <p className="help">And {massive.length - 12} more.</p>}
        </div>
      )}
    </>
  );
}
