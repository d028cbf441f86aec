import { withArticle } from '../../../world/captions.ts';
import { movedTo, type OwnObject, type OwnPicture, ownRadius } from '../../../world/ownScene.ts';
import { isHeldOut } from '../../../world/scene.ts';
import { colours, fillings, shapes, sizes, tones } from '../../../world/worldWords.ts';
import { Choice } from './Choice.tsx';
import styles from './own.module.css';

interface OwnObjectsProps {
  readonly picture: OwnPicture;
  onChange(picture: OwnPicture): void;
}

/** Forms that say what each object is, and where. */
export function OwnObjects({ picture, onChange }: OwnObjectsProps) {
  const { objects } = picture;
  return objects.map((object, index) => (
    <ObjectForm
      key={index}
      object={object}
      number={index + 1}
      onChange={(changed) => onChange({ ...picture, objects: objects.with(index, changed) })}
      onRemove={() => onChange({ ...picture, objects: objects.toSpliced(index, 1) })}
    />
  ));
}

interface ObjectFormProps {
  readonly object: OwnObject;
  readonly number: number;
  onChange(object: OwnObject): void;
  onRemove(): void;
}

const asItIs = 'neither';

function ObjectForm({ object, number, onChange, onRemove }: ObjectFormProps) {
  const { shape, colour, size, tone, filling, x, y } = object;
  // A larger object may not have room where the smaller one was.
  const change = (changes: Partial<OwnObject>) => {
    const changed = { ...object, ...changes };
    onChange(movedTo(changed, changed.x, changed.y));
  };
  return (
    <fieldset className={styles.object}>
      <legend>Object {number}</legend>
      <Choice label="Shape" choices={shapes} value={shape} onChange={(shape) => change({ shape })} />
      <Choice label="Colour" choices={colours} value={colour} onChange={(colour) => change({ colour })} />
      <Choice label="Size" choices={sizes} value={size} onChange={(size) => change({ size })} />
      <Choice
        label="Tone"
        choices={[asItIs, ...tones]}
        value={tone ?? asItIs}
        onChange={(tone) => change({ tone: tone === asItIs ? null : tone })}
      />
      <Choice label="Filling" choices={fillings} value={filling} onChange={(filling) => change({ filling })} />
      <Place label="Across" value={x} radius={ownRadius(object)} onChange={(x) => change({ x })} />
      <Place label="Down" value={y} radius={ownRadius(object)} onChange={(y) => change({ y })} />
      <button type="button" className="small" onClick={onRemove}>
        Remove
      </button>
      {isHeldOut(colour, shape) && (
        <p className="help">
          Training never shows {withArticle(`${colour} ${shape}`)}: the model has to know it from its colour and its
          shape.
        </p>
      )}
    </fieldset>
  );
}

interface PlaceProps {
  readonly label: string;
  readonly value: number;
  readonly radius: number;
  onChange(value: number): void;
}

/** A place along one side, in percent of it. */
function Place({ label, value, radius, onChange }: PlaceProps) {
  return (
    <label className="field inline">
      <span>{label}</span>
      <input
        type="range"
        min={Math.ceil(100 * radius)}
        max={Math.floor(100 * (1 - radius))}
        value={Math.round(100 * value)}
        aria-valuetext={`${Math.round(100 * value)} %`}
        onChange={(event) => onChange(event.target.valueAsNumber / 100)}
      />
    </label>
  );
}
