package kcore;

import java.nio.file.Path;
import java.util.List;
import org.apache.kafka.common.protocol.ApiKeys;

/**
 * Compares each schema of a directory with the one in Kafka's jars: all its versions, field by field.
 * Prints a line per difference and one that counts; exits 1 if there is any.
 */
public final class Schemas {
    private int differences;

    public static void main(String[] args) throws Exception {
        Schemas all = new Schemas();
        int compared = 0;
        for (Schema ours : Schema.ours(Path.of(args[0]))) {
            Schema theirs = Schema.kafka(ours.name);
            if (ours.name.startsWith("Catalog"))
                continue; // the catalog's commands are ours alone
            if (theirs == null) {
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
        same(ours.name, "record", ours.record, theirs.record);
        same(ours.name, "the first version", ours.versions.first(), theirs.versions.first());
        same(ours.name, "the last version", ours.versions.last(), last(theirs));
        for (int v = ours.versions.first(); v <= ours.versions.last(); v++) {
            same(ours.name + " v" + v, "flexible", ours.flexible.contains(v), theirs.flexible.contains(v));
            compare(ours.name + " v" + v, v, ours.fields, theirs.fields);
        }
    }

    /** Not those that Kafka itself does not offer yet. */
    private static int last(Schema theirs) {
        return theirs.api < 0 ? theirs.versions.last() : ApiKeys.forId(theirs.api).latestVersion(false);
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
