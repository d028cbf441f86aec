import { elementCount, shapeText } from '../../files/tensorFile.ts';
import type { Difference, Drift, Examination, TensorReport } from '../../models/doctor.ts';
import { type Finding, findings, type Severity } from '../../models/findings.ts';
import { type ExaminedCheckpoint, requestName, type Task } from '../../state/facts.ts';
import { FileButton } from '../page/FileButton.tsx';
import { brief, bytes, percent, small } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import styles from './checkpoint.module.css';
import { type Column, SortedTable } from './SortedTable.tsx';

const lead = (
  <>
    A <dfn>checkpoint</dfn> is a file of a model’s weights. Its text encoder is examined here, damaged or not: missing
    and extra tensors, shapes and types, NaN and infinity, broken position ids, statistics and a hash; and compared with
    a second one, layer by layer. Nothing leaves this machine, and the model in use stays.
  </>
);

/** Examines a checkpoint that a person chooses, or the one in use. */
export function Checkpoint() {
  const examined = useFacts((s) => s.examined);
  const inUse = useFacts((s) => s.modelRequest);
  const examine = useFacts((s) => s.examine);
  const close = useFacts((s) => s.closeExamination);
  const isRunning = examined?.task.phase === 'running' || examined?.other?.task.phase === 'running';
  const request = inUse && inUse.kind !== 'synthetic' ? inUse : null;

  return (
    <section className={`panel ${styles.checkpoint}`} id="checkpoint" aria-labelledby="checkpoint-title">
      <ViewHeader view="checkpoint" lead={lead}>
        <div className="toolbar">
          {request && (
            <button type="button" disabled={isRunning} onClick={() => void examine(request)}>
              Examine {requestName(request)}
            </button>
          )}
          <FileButton
            text="Examine a file…"
            disabled={isRunning}
            onChoose={(file) => void examine({ kind: 'file', file })}
          />
          {examined && !isRunning && (
            <button type="button" className="quiet" onClick={close}>
              Close
            </button>
          )}
        </div>
      </ViewHeader>
      {examined && <Examined examined={examined} />}
    </section>
  );
}

/** Shows the findings about a checkpoint, and its distance from another one. */
function Examined({ examined: { request, task, other } }: { readonly examined: ExaminedCheckpoint }) {
  const name = requestName(request);
  if (task.phase !== 'done') return <Pending task={task} doing={`Examining ${name}`} />;
  return (
    <>
      <Report name={name} examination={task.result} />
      <div className={styles.drift}>
        <h3>Drift</h3>
        <CompareWith isRunning={other?.task.phase === 'running'} />
        {other &&
          (other.task.phase === 'done' ? (
            <DriftReport from={name} to={requestName(other.request)} drift={other.task.result} />
          ) : (
            <Pending task={other.task} doing={`Comparing with ${requestName(other.request)}`} />
          ))}
      </div>
    </>
  );
}

function Pending({ task, doing }: { readonly task: Task<unknown>; readonly doing: string }) {
  const cancel = useFacts((s) => s.cancelExamination);
  if (task.phase === 'failed')
    return (
      <div className="notice" data-severity="error" role="alert">
        <span>{task.message}</span>
      </div>
    );
  const progress = task.phase === 'running' ? task.progress : null;
  return (
    <div className="loading">
      <span className="small">{doing}</span>
      <progress aria-label={doing} value={progress?.done} max={progress?.total || undefined} />
      <button type="button" className="small" onClick={cancel}>
        Cancel
      </button>
    </div>
  );
}

function Report({ name, examination }: { readonly name: string; readonly examination: Examination }) {
  const { layout, config, dtypes, sha256, tensors } = examination;
  const found = findings(examination);
  const isSound = found.every(({ severity }) => severity === 'note');
  const { prefix } = layout;
  return (
    <>
      <dl className={styles.facts}>
        <div>
          <dt>File</dt>
          <dd>{name}</dd>
        </div>
        <div>
          <dt>Encoder</dt>
          <dd>
            {config.numHiddenLayers} layers, {config.hiddenSize} wide
            {prefix && (
              <>
                , under <code>{prefix}</code>
              </>
            )}
          </dd>
        </div>
        <div>
          <dt>Stored as</dt>
          <dd>
            {Array.from(
              dtypes,
              ([dtype, { tensors, bytes: size }]) => `${dtype}: ${tensors} tensors, ${bytes(size)}`,
            ).join(' · ')}{' '}
            in the whole file
          </dd>
        </div>
        <div>
          <dt>SHA-256</dt>
          <dd>
            {sha256 ? (
              <>
                <code>{sha256}</code> of the encoder’s tensors, the same in a file of another layout
              </>
            ) : (
              'None: tensors are missing, or this page did not come from https or localhost.'
            )}
          </dd>
        </div>
      </dl>
      {isSound && (
        <p className={styles.sound}>
          All {tensors.length} tensors are there, of the right shape, with finite numbers
          {examination.positionIds && `, and the position ids are 0 to ${config.maxPositionEmbeddings - 1}`}.
        </p>
      )}
      {found.length > 0 && (
        <ul className={styles.findings} aria-label="Findings">
          {found.map((finding) => (
            <FindingRow key={finding.message} finding={finding} />
          ))}
        </ul>
      )}
      <h3>Tensors</h3>
      <SortedTable label="Tensors" rows={tensors} columns={tensorColumns} keyOf={({ name }) => name} />
    </>
  );
}

const severityNames: Readonly<Record<Severity, string>> = { error: 'Error', warning: 'Warning', note: 'Note' };
/** Lists of more items than this are folded away. */
const fewItems = 4;

function FindingRow({ finding: { severity, message, items } }: { readonly finding: Finding }) {
  const list = (
    <ul className={styles.items}>
      {items.map((item) => (
        <li key={item}>{item}</li>
      ))}
    </ul>
  );
  return (
    <li data-severity={severity}>
      <p>
        <b>{severityNames[severity]}</b> {message}
      </p>
      {items.length > fewItems ? (
        <details>
          <summary>All {items.length}</summary>
          {list}
        </details>
      ) : (
        items.length > 0 && list
      )}
    </li>
  );
}

/** Removes the beginning that all names share. */
const shortName = (name: string) => name.replace(/^text_model\./, '').replace(/^encoder\.layers\./, 'layers.');

const statistic = (title: string, help: string, of: (tensor: TensorReport) => number): Column<TensorReport> => ({
  title,
  help,
  value: of,
  text: (tensor) => (Number.isFinite(of(tensor)) ? small(of(tensor)) : '–'),
  details: (tensor) => String(of(tensor)),
});

const tensorColumns: readonly Column<TensorReport>[] = [
  { title: 'Tensor', value: ({ name }) => shortName(name), details: ({ fileName }) => fileName },
  { title: 'Type', value: ({ dtype }) => dtype },
  {
    title: 'Shape',
    help: 'Sorted by the number of elements',
    value: ({ shape }) => elementCount(shape),
    text: ({ shape }) => shapeText(shape),
  },
  statistic('Min', 'Of finite elements', ({ min }) => min),
  statistic('Max', 'Of finite elements', ({ max }) => max),
  statistic('Mean', 'Of finite elements', ({ mean }) => mean),
  statistic('Std', 'Standard deviation of finite elements', ({ std }) => std),
  { title: 'Zeros', help: 'Elements that are 0', value: ({ zeros }) => zeros },
  { title: 'NaN, ∞', help: 'Elements that are no finite numbers', value: ({ nonFinite }) => nonFinite },
  {
    title: 'SHA-256',
    help: 'SHA-256 of its bytes as stored; the first eight digits',
    value: ({ sha256 }) => sha256 ?? '–',
    text: ({ sha256 }) => sha256?.slice(0, 8) ?? '–',
    details: ({ sha256 }) => sha256,
  },
];

function CompareWith({ isRunning }: { readonly isRunning: boolean }) {
  const compare = useFacts((s) => s.compareEncoders);
  return (
    <div className="toolbar">
      <FileButton text="Compare with…" disabled={isRunning} onChoose={(file) => void compare({ kind: 'file', file })} />
      <span className="help">How far a second file’s encoder has moved from this one, layer by layer.</span>
    </div>
  );
}

interface NamedDifference extends Difference {
  readonly name: string;
}

const driftColumns: readonly Column<NamedDifference>[] = [
  { title: 'Tensor', value: ({ name }) => shortName(name), details: ({ name }) => name },
  {
    title: '‖A − B‖ / ‖A‖',
    help: 'Relative difference, by Frobenius norms',
    value: ({ relative }) => relative,
    text: ({ relative }) => percent(relative),
  },
  {
    title: '‖A − B‖',
    value: ({ difference }) => difference,
    text: ({ difference }) => small(difference),
  },
  { title: '‖A‖', value: ({ norm }) => norm, text: ({ norm }) => small(norm) },
];

function DriftReport({ from, to, drift }: { readonly from: string; readonly to: string; readonly drift: Drift }) {
  const parts: NamedDifference[] = [
    { name: 'Embeddings', ...drift.embeddings },
    ...drift.layers.map((layer, i) => ({ name: `Layer ${i + 1}`, ...layer })),
    { name: 'Final LayerNorm', ...drift.finalLayerNorm },
  ];
  const finite = parts.map(({ relative }) => relative).filter(Number.isFinite);
  const most = Math.max(...finite, 0);
  const tensors = Array.from(drift.tensors, ([name, difference]) => ({ name, ...difference }));
  return (
    <>
      <p className="small">
        {drift.whole.difference === 0
          ? `The encoders of ${from} (A) and ${to} (B) are the same, number for number.`
          : `From ${from} (A) to ${to} (B): ‖A − B‖ / ‖A‖ is ${percent(drift.whole.relative)} over all. Bars end at the largest, ${percent(most)}.`}
      </p>
      <table className={styles.bars}>
        <caption className="visually-hidden">Drift by layer</caption>
        <thead className="visually-hidden">
          <tr>
            <th scope="col">Part</th>
            <th scope="col">Bar</th>
            <th scope="col">Relative difference</th>
          </tr>
        </thead>
        <tbody>
          {parts.map(({ name, relative, difference, norm }) => (
            <tr key={name} title={`‖A − B‖ = ${brief(difference)}, ‖A‖ = ${brief(norm)}`}>
              <th scope="row">{name}</th>
              <td className={styles.share}>
                <span style={{ inlineSize: `${most > 0 ? Math.min(100, (100 * relative) / most) : 0}%` }} />
              </td>
              <td className={styles.number}>{percent(relative)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <SortedTable label="Drift by tensor" rows={tensors} columns={driftColumns} keyOf={({ name }) => name} />
    </>
  );
}
