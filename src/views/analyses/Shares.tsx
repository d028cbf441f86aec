import type { ConditioningShares } from '../../analyses/conditioningShares.ts';
import { kindRows } from '../../analyses/namedRows.ts';
import { type AnalysisSubject, sharesAnalysis } from '../../state/promptAnalyses.ts';
import { percent, small } from '../page/numbers.ts';
import { RowNorms, withoutPad } from '../pictures/RowNorms.tsx';
import { probabilityScale } from '../pictures/valueScales.ts';
import { AnalysisFrame } from './AnalysisFrame.tsx';
import { AnalysisPictures } from './AnalysisPictures.tsx';
import styles from './analyses.module.css';
import { sharesFinding } from './analysisFindings.ts';
import { sharesTables } from './analysisTables.ts';
import { GridPicture } from './GridPicture.tsx';
import { SaveConditioning } from './SaveConditioning.tsx';
import { useAnalysis } from './useAnalysis.ts';

const kinds = [
  { kind: 'bos', name: 'BOS' },
  { kind: 'text', name: 'Words' },
  { kind: 'eos', name: 'EOS' },
  { kind: 'pad', name: 'PAD' },
] as const;

/** Shows in which rows a prompt differs from the empty one. */
export function Shares({ subject }: { subject: AnalysisSubject | undefined }) {
  const analysis = useAnalysis(subject, sharesAnalysis);
  return (
    <AnalysisFrame
      title="Words, EOS and PAD"
      question="Which rows of the conditioning carry this prompt? Each is compared with the row at the same place of the empty prompt, and ‖C − C_empty‖² is divided among them."
      analysis={analysis}
      finding={({ result }) => sharesFinding(result)}
      tables={({ of, result }) => sharesTables(of, result)}
      limits="A share says how much a row differs, not how much the U-Net looks at it: its cross-attention chooses. These are the encoder’s rows, before any weights."
    >
      {({ of, result, isStale }) => (
        <>
          <SharesFound of={of} result={result} />
          <SaveConditioning
            of={of}
            isStale={isStale}
            what="words, EOS and PAD alone"
            rows={(encoder) =>
              kindRows(
                of.pass,
                of.empty,
                of.tokens.map(({ kind }) => kind),
                encoder,
              )
            }
          />
        </>
      )}
    </AnalysisFrame>
  );
}

function SharesFound({ of: { tokens, labels }, result }: { of: AnalysisSubject; result: ConditioningShares }) {
  const { shares, distances, lengths, turns } = result;
  return (
    <>
      <div className={styles.bar} aria-hidden="true">
        {kinds.map(({ kind }) => (
          <i key={kind} data-kind={kind} style={{ flexGrow: shares[kind] }} />
        ))}
      </div>
      <dl className={styles.shares}>
        {kinds.map(({ kind, name }) => (
          <div key={kind}>
            <dt>
              <i data-kind={kind} /> {name}
            </dt>
            <dd>{shares[kind] === 0 ? 'exactly 0' : percent(shares[kind])}</dd>
          </div>
        ))}
      </dl>
      <RowNorms
        caption="Row by row, against the empty prompt"
        columns={[
          { name: '‖C − C_empty‖', values: distances },
          { name: '‖C‖', values: lengths },
        ]}
        labels={labels}
        {...withoutPad(tokens.map(({ kind }) => kind))}
        format={small}
      />
      <GridPicture
        name="Turn away from the empty prompt’s row, by position: 1 − cos"
        axes={{ rows: 'measure', columns: 'row' }}
        rowLabels={['1 − cos']}
        columnLabels={labels.map((label, row) => `${row} ${label}`)}
        values={[[...turns]]}
        scale={probabilityScale('sqrt', Math.max(...turns))}
        unit="1 − cos"
        format={small}
      />
      <AnalysisPictures study="rows">
        Some rows of the positive prompt alone, with the rows of the empty prompt in the place of all others.
      </AnalysisPictures>
    </>
  );
}
