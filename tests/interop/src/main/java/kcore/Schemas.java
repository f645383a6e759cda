package kcore;

import java.nio.file.Path;
import java.util.List;

/**
 * Compares each schema of a directory with the one in kafka-clients: field by field, in each version
 * that ours has. Prints a line per message that Kafka has too, or per difference; exits 1 if any.
 */
public final class Schemas {
    private int differences;

    public static void main(String[] args) throws Exception {
        Schemas all = new Schemas();
        int compared = 0;
        for (Schema ours : Schema.ours(Path.of(args[0]))) {
            Schema theirs = Schema.kafka(ours.name);
            if (theirs == null) {
                if (ours.api >= 0)
                    all.differ(ours.name, "Kafka has no such message");
                continue;
            }
            all.compare(ours, theirs);
            compared++;
        }
        System.out.println(compared + " messages compared, " + all.differences + " differences");
        System.exit(compared > 0 && all.differences == 0 ? 0 : 1);
    }

    private void differ(String where, String what) {
        System.out.println(where + ": " + what);
        differences++;
    }

    private void same(String where, String what, Object ours, Object theirs) {
        if (!ours.equals(theirs))
            differ(where, what + " is " + ours + ", Kafka's is " + theirs);
    }

    private void compare(Schema ours, Schema theirs) {
        same(ours.name, "api", ours.api, theirs.api);
        if (!theirs.versions.contains(ours.versions.first()) || !theirs.versions.contains(ours.versions.last()))
            differ(ours.name, "versions " + ours.versions + " are not within Kafka's " + theirs.versions);
        if (ours.versions.first() != theirs.versions.first())
            differ(ours.name, "begins at version " + ours.versions.first());
        for (int v = ours.versions.first(); v <= ours.versions.last(); v++) {
            same(ours.name + " v" + v, "flexible", ours.flexible.contains(v), theirs.flexible.contains(v));
            compare(ours.name + " v" + v, v, ours.fields, theirs.fields);
        }
    }

    private static List<Schema.Field> present(List<Schema.Field> fields, int v) {
        return fields.stream().filter(f -> f.versions.contains(v)).toList();
    }

    private void compare(String where, int v, List<Schema.Field> allOurs, List<Schema.Field> allTheirs) {
        List<Schema.Field> ours = present(allOurs, v);
        List<Schema.Field> theirs = present(allTheirs, v);
        if (ours.size() != theirs.size()) {
            differ(where, ours.size() + " fields, Kafka has " + theirs.size());
            return;
        }
        for (int i = 0; i < ours.size(); i++)
            compare(where + "." + theirs.get(i).name, v, ours.get(i), theirs.get(i));
    }

    private void compare(String where, int v, Schema.Field ours, Schema.Field theirs) {
        if (!ours.name.equalsIgnoreCase(theirs.name))
            differ(where, "we have " + ours.name);
        same(where, "array", ours.array, theirs.array);
        if (!ours.isStruct() || !theirs.isStruct())
            same(where, "type", ours.type, theirs.type);
        same(where, "nullable", ours.nullable.contains(v), theirs.nullable.contains(v));
        same(where, "tagged", ours.tagged.contains(v), theirs.tagged.contains(v));
        if (theirs.tagged.contains(v))
            same(where, "tag", ours.tag, theirs.tag);
        same(where, "default", ours.def, theirs.def);
        same(where, "ignorable", ours.ignorable, theirs.ignorable);
        same(where, "flexible none", ours.inflexible, theirs.inflexible);
        compare(where, v, ours.fields, theirs.fields);
    }
}
